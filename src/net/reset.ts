import type { Socket } from "node:net";

/** What a connection of TLS runs over. */
const carriers = new WeakMap<Socket, Socket>();

/** To be told of every connection of TLS that may be reset. */
export function carriedBy(socket: Socket, carrier: Socket): void {
  carriers.set(socket, carrier);
}

/**
 * Ends a connection with the RST of TCP: the other end hears of it at once, also where bytes that
 * were sent before have not arrived, behind which the usual FIN would wait. One that is no TCP is
 * just ended.
 */
export function resetConnection(socket: Socket): void {
  const carrier = carriers.get(socket) ?? socket;
  const isTcp = carrier.remoteAddress !== undefined && !carrier.destroyed;
  if (isTcp) carrier.resetAndDestroy();
  socket.destroy();
}

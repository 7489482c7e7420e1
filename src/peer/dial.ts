import {
  type IpcNetConnectOpts,
  isIP,
  type OnReadOpts,
  type Socket,
  type TcpNetConnectOpts,
} from "node:net";
import type { ConnectionOptions } from "node:tls";
import { parseAddress, type TlsIdentity } from "../net/index.ts";

/** Keep-alive probes of TCP begin after so long without traffic. */
export const TCP_KEEP_ALIVE_MS = 30_000;

/** How to show oneself to peers that are reached by TLS. */
export type Identity = Pick<TlsIdentity, "client">;

/** Where the URL of a peer leads, as Node wants to have it; and what the `Host` field says. */
export interface Target {
  readonly isSecure: boolean;
  readonly connect: TcpNetConnectOpts | IpcNetConnectOpts;
  readonly host: string;
}

/** Throws when the URL is not one of a peer. */
export function targetOf(url: string): Target {
  const address = parseAddress(url);
  const isSecure = address.secure;
  if (address.kind === "unix") {
    return { isSecure, connect: { path: address.path }, host: address.path };
  }
  const { host, port } = address;
  const name = host.includes(":") ? `[${host}]` : host;
  return { isSecure, connect: { host, port }, host: `${name}:${port}` };
}

/** Opens a connection: one of TLS is to be used after `READY` of it. Throws on bad files. */
export function open(
  { isSecure, connect }: Pick<Target, "isSecure" | "connect">,
  identity: Identity | undefined,
  options: { readonly onread?: OnReadOpts } = {},
): Socket {
  if (!isSecure) {
    return process.getBuiltinModule("node:net").connect({ ...connect, ...options, noDelay: true });
  }
  const tls = process.getBuiltinModule("node:tls");
  const secured = {
    ...connect,
    // A server is told by which of its names it was found.
    ...("host" in connect && isIP(connect.host ?? "") === 0 && { servername: connect.host }),
    ...options,
    ...identity?.client(),
  } as ConnectionOptions;
  return tls.connect(secured).setNoDelay(true);
}

/** The event of a connection after which it can be used. */
export function readyEvent(socket: Socket): "connect" | "secureConnect" {
  return "encrypted" in socket ? "secureConnect" : "connect";
}

export interface Connection {
  readonly socket: Socket;
  /** To be called with everything that arrives; set before anything can. */
  onBytes: (bytes: Uint8Array) => void;
}

/** How much is read from a stream at a time. */
const READ_BYTES = 64 * 1024;

/**
 * Opens a connection that reads into one buffer again and again: what `onBytes` gets is valid
 * during the call only. Rejects with Node's error, or when it takes too long.
 */
export function dial(
  target: Target,
  { identity, timeoutMs }: { readonly identity: Identity | undefined; readonly timeoutMs: number },
  signal: AbortSignal,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const connection = { onBytes: (_bytes: Uint8Array): void => {} };
    const buffer = new Uint8Array(READ_BYTES);
    const callback = (length: number): boolean => {
      connection.onBytes(buffer.subarray(0, length));
      return true;
    };
    const socket = open(target, identity, { onread: { buffer, callback } });
    const fail = (error: Error): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(new Error("stream reader is stopped"));
    const timer = setTimeout(() => fail(dialTimeout(target)), timeoutMs);
    socket.on("error", fail);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    socket.once(readyEvent(socket), () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.off("error", fail);
      socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
      resolve(Object.assign(connection, { socket }));
    });
  });
}

/** As Go says that a connection was not made in time. */
export function dialTimeout({ connect, host }: Pick<Target, "connect" | "host">): Error {
  return new Error(`dial ${"path" in connect ? "unix" : "tcp"} ${host}: i/o timeout`);
}

/** Whether nobody listens there: the process that did is gone. */
export function isRefused(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ECONNREFUSED" || code === "ENOENT";
}

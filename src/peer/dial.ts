import type { Socket, TcpNetConnectOpts, IpcNetConnectOpts } from "node:net";
import { parseAddress } from "../net/index.ts";

/** Keep-alive probes of TCP begin after so long without traffic. */
export const TCP_KEEP_ALIVE_MS = 30_000;

/** Where the URL of a peer leads, as Node wants to have it; and what the `Host` field says. */
export interface Target {
  readonly connect: TcpNetConnectOpts | IpcNetConnectOpts;
  readonly host: string;
}

/** Throws when the URL is not one of a peer. */
export function targetOf(url: string): Target {
  const address = parseAddress(url);
  if (address.secure) throw new Error(`TLS is not supported yet: ${url}`);
  if (address.kind === "unix") return { connect: { path: address.path }, host: address.path };
  const { host, port } = address;
  return { connect: { host, port }, host: `${host.includes(":") ? `[${host}]` : host}:${port}` };
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
export function dial(target: Target, timeoutMs: number, signal: AbortSignal): Promise<Connection> {
  const { connect } = process.getBuiltinModule("node:net");
  return new Promise((resolve, reject) => {
    const connection = { onBytes: (_bytes: Uint8Array): void => {} };
    const buffer = new Uint8Array(READ_BYTES);
    const callback = (length: number): boolean => {
      connection.onBytes(buffer.subarray(0, length));
      return true;
    };
    const options = { ...target.connect, noDelay: true, onread: { buffer, callback } };
    const socket = connect(options);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(new Error("stream reader is stopped"));
    const timer = setTimeout(() => fail(new Error("i/o timeout")), timeoutMs);
    socket.on("error", fail);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    socket.once("connect", () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.off("error", fail);
      socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
      resolve(Object.assign(connection, { socket }));
    });
  });
}

/** Whether nobody listens there: the process that did is gone. */
export function isRefused(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ECONNREFUSED" || code === "ENOENT";
}

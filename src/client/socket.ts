import { connect as connectTcp, isIP, type Socket } from "node:net";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { errnoWord } from "../base/index.ts";
import { tlsText } from "../net/index.ts";
import type { Address } from "./endpoint.ts";
import type { ClientTls, Peer } from "./transport.ts";

/** Connects to a server. Rejects with an error whose message is the reason in grpc-go's words. */
export async function openSocket(
  address: Address,
  tls: ClientTls | undefined,
  timeoutMs: number,
): Promise<Socket> {
  const raw = address.socket
    ? connectTcp({ path: address.target })
    : connectTcp({ ...hostAndPort(address.target), noDelay: true });
  const timer = setTimeout(() => raw.destroy(new Error("i/o timeout")), timeoutMs);
  try {
    await event(raw, "connect", (error) => dialError(error, address));
    return tls === undefined ? raw : await secured(raw, address, tls);
  } catch (error) {
    raw.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function secured(raw: Socket, address: Address, tls: ClientTls): Promise<Socket> {
  // Loaded only where it is needed: it takes longer to load than a command without it to run.
  const { connect: connectTls } = await import("node:tls");
  const socket: TLSSocket = connectTls(tlsOptions(raw, address, tls));
  await event(socket, "secureConnect", handshakeError);
  if (socket.alpnProtocol === "h2") return socket;
  throw handshakeError(new Error("credentials: cannot check peer: missing selected ALPN property"));
}

function handshakeError(error: NodeJS.ErrnoException): Error {
  const why = tlsText(error) ?? error.message;
  return new Error(`transport: authentication handshake failed: ${why}`);
}

function tlsOptions(raw: Socket, address: Address, tls: ClientTls): ConnectionOptions {
  const name =
    tls.serverName ?? (address.socket ? address.serverName : hostAndPort(address.target).host);
  const options: ConnectionOptions = {
    socket: raw,
    ALPNProtocols: ["h2"],
    rejectUnauthorized: tls.unverified !== true,
    host: name,
  };
  if (isIP(name) === 0) options.servername = name;
  if (tls.certificate !== undefined) options.cert = tls.certificate;
  if (tls.key !== undefined) options.key = tls.key;
  if (tls.authorities !== undefined) {
    options.ca = [tls.authorities].flat();
    // Whoever is in it is trusted, though another one signed it.
    options.allowPartialTrustChain = true;
  }
  return options;
}

function hostAndPort(target: string): { host: string; port: number } {
  const match = /^\[?([^\]]*?)\]?:(\d+)$/.exec(target);
  return match === null
    ? { host: target, port: 443 }
    : { host: match[1] || "localhost", port: Number(match[2]) };
}

function event(socket: Socket, name: string, describe: (error: Error) => Error): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(name, resolve);
    socket.once("error", (error) => reject(describe(error)));
    socket.once("close", () => reject(describe(new Error("EOF"))));
  });
}

function dialError(error: NodeJS.ErrnoException, address: Address): Error {
  const where = `dial ${address.socket ? "unix" : "tcp"} ${address.target}`;
  const text = errnoWord(error.code);
  const { host } = address.socket ? { host: "" } : hostAndPort(address.target);
  let why = text === undefined ? error.message : `connect: ${text}`;
  if (error.code === "ENOTFOUND") why = `lookup ${host}: no such host`;
  return new Error(`transport: Error while dialing: ${where}: ${why}`);
}

/** Why nothing more can be read from a connection, in Go's words. */
export function readError(error: NodeJS.ErrnoException, peer: Peer): string {
  const text = errnoWord(error.code);
  return text === undefined
    ? error.message
    : `read tcp ${peer.local}->${peer.remote}: read: ${text}`;
}

/** The two ends of a connected socket. */
export function peerOf(socket: Socket, secure: boolean): Peer {
  return {
    remote: endOf(socket.remoteAddress, socket.remotePort),
    local: endOf(socket.localAddress, socket.localPort),
    secure,
  };
}

function endOf(host: string | undefined, port: number | undefined): string {
  if (host === undefined) return "@";
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

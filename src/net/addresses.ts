import { unlinkSync } from "node:fs";
import type { ListenOptions, Server } from "node:net";

/** Where a server listens, as an URL of the command line says it. */
export type Address =
  | { readonly kind: "tcp"; readonly secure: boolean; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly secure: boolean; readonly path: string };

/** Reads `http://host:port` (without a port: 80 or 443), `https://…`, `unix://path` and `unixs://path`; throws on others. */
export function parseAddress(url: string): Address {
  const unix = /^unix(s?):\/\/(.+)$/.exec(url);
  if (unix !== null) return { kind: "unix", secure: unix[1] === "s", path: unix[2]! };
  const tcp = /^http(s?):\/\/(?:\[([^\]]+)\]|([^:/[\]]*))(?::(\d{1,5}))?\/?$/.exec(url);
  if (tcp === null) throw new Error(`not an address to listen on: ${url}`);
  const secure = tcp[1] === "s";
  const port = Number(tcp[4] ?? (secure ? 443 : 80));
  if (port > 65_535) throw new Error(`not an address to listen on: ${url}`);
  return { kind: "tcp", secure, host: tcp[2] ?? tcp[3]!, port };
}

/** Resolves when `server` listens; a socket file left over from an earlier run is replaced. */
export function listenOn(server: Server, address: Address, backlog: number): Promise<void> {
  if (address.kind === "unix") removeSocketFile(address.path);
  const where: ListenOptions =
    address.kind === "unix" ? { path: address.path } : { port: address.port, host: address.host };
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...where, backlog }, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

function removeSocketFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

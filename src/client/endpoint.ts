import { basename } from "node:path";

/** Where an endpoint leads. */
export interface Address {
  /** `host:port`, or the path of a socket. */
  readonly target: string;
  readonly socket: boolean;
  /** The name a server's certificate is checked against, and the `:authority` of requests. */
  readonly serverName: string;
  /** `https` and `unixs` demand TLS, `http` forbids it; otherwise the flags decide. */
  readonly tls: "required" | "never" | "optional";
}

/** Reads `host:port`, `http://…`, `https://…`, `unix:…` and `unixs:…`. */
export function parseEndpoint(endpoint: string): Address {
  const unix = /^(unixs?):(?:\/\/)?(.*)$/.exec(endpoint);
  if (unix !== null) {
    const target = unix[2]!;
    const tls = unix[1] === "unixs" ? "required" : "optional";
    return { target, socket: true, serverName: basename(target), tls };
  }
  const url = /^([a-z]+):\/\/([^/?#]*)/.exec(endpoint);
  const target = url === null ? endpoint : url[2]!;
  const tls = url?.[1] === "https" ? "required" : url?.[1] === "http" ? "never" : "optional";
  return { target, socket: false, serverName: target, tls };
}

/** An endpoint without its scheme. */
export function authorityOf(endpoint: string): string {
  const at = endpoint.indexOf("://");
  return at < 0 ? endpoint.replace(/^unixs?:/, "") : endpoint.slice(at + 3);
}

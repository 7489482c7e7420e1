import { connectChannel } from "./channel.ts";
import { parseEndpoint } from "./endpoint.ts";
import type { DialOptions, Transport } from "./transport.ts";

/** Opens a connection to an endpoint. Its scheme, if it has one, has the last word on TLS. */
export function dial(endpoint: string, options: DialOptions): Promise<Transport> {
  const address = parseEndpoint(endpoint);
  if (address.tls === "optional") return connectChannel(address, options);
  const tls = address.tls === "required" ? (options.tls ?? {}) : undefined;
  return connectChannel(address, { ...options, tls });
}

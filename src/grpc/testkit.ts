import { BufferPool, Connection, EncodedField, type HeaderList } from "../h2/index.ts";
import { messagePrefix } from "./message-reader.ts";
import { GrpcServerConnection } from "./server.ts";
import type { GrpcService } from "./service.ts";

/** Tools for the tests of this room: requests that no proper client would send. */

export interface RawRequest {
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
  readonly last: boolean;
}

/** A request with some fields changed or, with undefined, left out. */
export function literalRequest(
  change: Readonly<Record<string, string | undefined>>,
  messages: readonly (readonly [number, Uint8Array])[],
  options: { cutBytes?: number; announcedBytes?: number; repeats?: number } = {},
): RawRequest {
  const fields: Record<string, string | undefined> = {
    ":method": "POST",
    ":scheme": "http",
    ":path": "/kv.KV/Put",
    ":authority": "a",
    "content-type": "application/grpc",
    ...change,
  };
  const parts = messages.flatMap(([flag, bytes]) => [
    messagePrefix(flag, options.announcedBytes ?? bytes.length).slice(),
    ...Array.from({ length: options.repeats ?? 1 }, () => bytes),
  ]);
  const body = Buffer.concat(parts);
  return {
    fields: Object.entries(fields).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
    body: body.subarray(0, body.length - (options.cutBytes ?? 0)),
    last: options.announcedBytes === undefined,
  };
}

/** Sends one request to a service, and collects what comes back. */
export function rawConversation(
  service: GrpcService,
  request: RawRequest,
): { lists: HeaderList[]; body: Uint8Array } {
  const lists: HeaderList[] = [];
  const body: Uint8Array[] = [];
  const common = {
    pool: new BufferPool(),
    nowMs: 0,
    keepalive: { intervalMs: 1e9, timeoutMs: 1e9, withoutStreams: false },
  };
  const server = new GrpcServerConnection({ ...common, service, wantsFlush: () => {} });
  const client = new Connection<undefined>({
    ...common,
    role: "client",
    handler: {
      head: (_stream, list) => lists.push(list),
      trailers: (_stream, list) => lists.push(list),
      data: (_stream, bytes, start, end) => body.push(bytes.slice(start, end)),
      reset: () => {},
      writable: () => {},
      wantsFlush: () => {},
      peerChanged: () => {},
    },
  });
  const fields = request.fields.map(([name, value]) => new EncodedField(name, value));
  const stream = client.open(fields, false);
  if (request.last) client.sendLastData(stream, new Uint8Array(0), request.body);
  else client.sendData(stream, new Uint8Array(0), request.body);
  while (client.hasOutput || server.hasOutput) {
    server.receive(client.takeOutput(), 0);
    client.receive(server.takeOutput(), 0);
  }
  return { lists, body: Buffer.concat(body) };
}

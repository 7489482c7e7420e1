/** Watch answers too large for one message: the same pieces from both servers. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { KV, Watch, WatchRequestSchema, WatchResponseSchema } from "../lib/api.ts";
import { pathOf } from "../lib/grpc.ts";
import { prefixEnd } from "./draw.ts";
import type { Plain } from "./plain.ts";
import type { World } from "./world.ts";

const PREFIX = Buffer.from("large/");
const PUTS = 90;
const VALUE_BYTES = 15_000;
const ANSWER_TIMEOUT_MS = 60_000;

/** The shape of each message of a watch: how many events, and whether more pieces follow. */
function pieces(world: World, side: World["sides"][0], wanted: number, act: () => void) {
  return new Promise<Plain[]>((resolve) => {
    const shapes: Plain[] = [];
    let seen = 0;
    const duplex = side.client.duplex(pathOf(Watch.method.watch), (bytes) => {
      const { events, fragment, created, header } = fromBinary(WatchResponseSchema, bytes);
      seen += events.length;
      shapes.push({ events: events.length, fragment, created, revision: `${header?.revision}` });
      if (created) act();
      if (seen >= wanted) done();
    });
    const done = () => {
      clearTimeout(timer);
      duplex.cancel();
      resolve(shapes);
    };
    const timer = setTimeout(done, ANSWER_TIMEOUT_MS);
    const value = {
      key: PREFIX,
      rangeEnd: prefixEnd(PREFIX),
      startRevision: BigInt(world.model.revision + 1),
      prevKv: true,
      fragment: true,
    };
    const request = create(WatchRequestSchema, { requestUnion: { case: "createRequest", value } });
    duplex.send(toBinary(WatchRequestSchema, request));
  });
}

/** Two transactions of 1.35 MB each; with what was there before, the second makes 2.7 MB of events. */
export async function fragments(world: World): Promise<void> {
  const txn = (fill: number) => ({
    success: Array.from({ length: PUTS }, (_, i) => ({
      request: {
        case: "requestPut" as const,
        value: {
          key: Buffer.concat([PREFIX, Buffer.from(`${i}`)]),
          value: new Uint8Array(VALUE_BYTES).fill(fill),
        },
      },
    })),
  });
  let ready = 0;
  const write = () => {
    if (++ready < 2) return;
    void world.call(KV.method.txn, txn(1)).then(() => world.call(KV.method.txn, txn(2)));
  };
  const [a, b] = await Promise.all(world.sides.map((side) => pieces(world, side, 2 * PUTS, write)));
  world.same("pieces of a large watch answer", null, a!, b!);
  await world.call(KV.method.deleteRange, { key: PREFIX, rangeEnd: prefixEnd(PREFIX) });
  // Watches of the past need not carry all that again.
  const { revision } = world.model;
  await world.call(KV.method.compact, { revision: BigInt(revision), physical: true });
  world.model.compacted = revision;
}

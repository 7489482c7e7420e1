/** Requests that must be refused, and that both servers must refuse in the same words. */
import { create, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { KV, PutRequestSchema, type RequestOpSchema } from "../lib/api.ts";
import type { Draw } from "./draw.ts";
import { join } from "./wire.ts";
import type { World } from "./world.ts";

const NONE = new Uint8Array(0);
const KEY = Buffer.from("bad");

/** Methods that garbage cannot drive to something the comparison must not do. */
const PATHS_FOR_GARBAGE = [
  ["KV/Range", "KV/Put", "KV/DeleteRange", "KV/Txn", "Lease/LeaseTimeToLive"],
  ["Maintenance/HashKV", "Cluster/MemberList", "Auth/UserGet", "Auth/RoleGet"],
]
  .flat()
  .map((name) => `/etcdserverpb.${name}`);

const NO_SUCH_METHOD = [
  ["/etcdserverpb.KV/Nothing", "/etcdserverpb.Nothing/Range", "/a/b", "/etcdserverpb.KV/"],
  ["/etcdserverpb.KV/range", "//", "/etcdserverpb.KV/Range/more"],
].flat();

/** The largest request a server takes is 1.5 MiB, the largest message 512 KiB more. */
const SIZES = [1_500_000, 1_572_864, 1_573_000, 2_097_100, 2_097_152, 2_200_000];

export async function badStep(world: World, draw: Draw): Promise<void> {
  const step = draw.weighted<(world: World, draw: Draw) => Promise<void>>([
    [30, garbage],
    [12, mutated],
    [14, unknownMethod],
    [20, refusedRequest],
    [14, tooManyOperations],
    [2, tooDeep],
    [1, tooLarge],
  ]);
  await step(world, draw);
}

async function garbage(world: World, draw: Draw): Promise<void> {
  await world.raw(draw.pick(PATHS_FOR_GARBAGE), draw.bytes(draw.below(24)));
}

/** A valid put with one byte changed. */
async function mutated(world: World, draw: Draw): Promise<void> {
  const bytes = toBinary(PutRequestSchema, create(PutRequestSchema, draw.put()));
  if (bytes.length > 0) bytes[draw.below(bytes.length)] = draw.below(256);
  await world.raw("/etcdserverpb.KV/Put", bytes);
}

async function unknownMethod(world: World, draw: Draw): Promise<void> {
  await world.raw(draw.pick(NO_SUCH_METHOD), draw.bytes(draw.below(8)));
}

const put = (value: MessageInitShape<typeof PutRequestSchema>) => ({
  request: { case: "requestPut" as const, value },
});

async function refusedRequest(world: World, draw: Draw): Promise<void> {
  const { put: Put, range: Range, deleteRange: DeleteRange, txn: Txn } = KV.method;
  await draw.pick([
    () => world.call(Range, { key: NONE }),
    () => world.call(Range, { key: NONE, rangeEnd: KEY }),
    () => world.call(DeleteRange, { key: NONE, rangeEnd: Uint8Array.of(0) }),
    () => world.call(Put, { key: NONE, value: KEY }),
    () => world.call(Put, { key: KEY, value: KEY, ignoreValue: true }),
    () => world.call(Put, { key: KEY, lease: 1n, ignoreLease: true }),
    () => world.call(Put, { key: Buffer.from("never put"), ignoreValue: true }),
    () => world.call(Put, { key: KEY, lease: 424_242n }),
    () => world.call(Range, { key: KEY, sortOrder: 9 as never }),
    () => world.call(Range, { key: KEY, sortTarget: -1 as never }),
    () => world.call(Txn, { compare: [{ key: NONE }] }),
    () => world.call(Txn, { success: [{ request: { case: undefined } }] }),
    () => world.call(Txn, { success: [put({ key: KEY }), put({ key: KEY })] }),
    () => world.call(Txn, { failure: [put({ key: KEY }), put({ key: KEY })] }),
    () => world.call(Txn, { success: [put({ key: KEY, lease: 424_242n })] }),
    () => world.call(Txn, {}),
  ])();
}

/** More operations or comparisons than a transaction may have, also counted through nested ones. */
async function tooManyOperations(world: World, draw: Draw): Promise<void> {
  type Op = MessageInitShape<typeof RequestOpSchema>;
  const read: Op = { request: { case: "requestRange", value: { key: KEY } } };
  const reads = (count: number) => Array.from({ length: count }, () => read);
  const nested = (count: number): Op => ({
    request: { case: "requestTxn", value: { success: reads(count) } },
  });
  const compares = (count: number) => Array.from({ length: count }, () => ({ key: KEY }));
  const count = draw.pick([127, 128, 129]);
  await draw.pick([
    () => world.call(KV.method.txn, { success: reads(count) }),
    () => world.call(KV.method.txn, { failure: reads(count) }),
    () => world.call(KV.method.txn, { compare: compares(count) }),
    () => world.call(KV.method.txn, { success: [nested(count - 1)] }),
    () => world.call(KV.method.txn, { success: [...reads(64), nested(count - 65)] }),
  ])();
}

/** Transactions inside transactions, more of them than anybody may have. */
async function tooDeep(world: World, draw: Draw): Promise<void> {
  let txn: Uint8Array = new Uint8Array(0);
  for (let depth = draw.pick([30, 129, 400]); depth > 0; depth--) {
    txn = join([{ number: 2, type: 2, value: join([{ number: 4, type: 2, value: txn }]) }]);
  }
  await world.bytes(KV.method.txn, txn);
}

async function tooLarge(world: World, draw: Draw): Promise<void> {
  const value = new Uint8Array(draw.pick(SIZES)).fill(0x78);
  const { code } = await world.call(KV.method.put, { key: KEY, value });
  if (code === 0) await world.call(KV.method.put, { key: KEY });
}

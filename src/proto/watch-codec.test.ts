import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { allocBytes, concatBytes, textToBytes } from "../base/index.ts";
import {
  WatchCancelRequestSchema,
  type WatchCreateRequest_FilterType,
  WatchCreateRequestSchema,
  WatchProgressRequestSchema,
  WatchRequestSchema,
  WatchResponseSchema,
} from "./gen/etcdserverpb/watch_pb.ts";
import { EventSchema, KeyValueSchema } from "./gen/mvccpb/kv_pb.ts";
import {
  decodeWatchRequest,
  encodeEventField,
  encodeWatchIdField,
  FRAGMENT_FIELD,
  withPreviousPair,
  writeWatchControl,
} from "./watch-codec.ts";
import { ProtoError, Writer } from "./wire.ts";

const bytes = fc.uint8Array({ maxLength: 300 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const count = fc.nat(Number.MAX_SAFE_INTEGER);

const createRequest = fc.record({
  key: bytes,
  rangeEnd: bytes,
  startRevision: fc.bigInt({ min: -1000n, max: BigInt(Number.MAX_SAFE_INTEGER) }),
  progressNotify: fc.boolean(),
  filters: fc.array(
    fc.nat(3).map((n) => n as WatchCreateRequest_FilterType),
    { maxLength: 4 },
  ),
  prevKv: fc.boolean(),
  watchId: int64,
  fragment: fc.boolean(),
});

type Union = Required<MessageInitShape<typeof WatchRequestSchema>>["requestUnion"];

function creating(value: MessageInitShape<typeof WatchCreateRequestSchema>): Union {
  return { case: "createRequest", value: create(WatchCreateRequestSchema, value) };
}

function cancelling(watchId: bigint): Union {
  return { case: "cancelRequest", value: create(WatchCancelRequestSchema, { watchId }) };
}

const PROGRESS: Union = { case: "progressRequest", value: create(WatchProgressRequestSchema) };

function encodeRequest(requestUnion: Union): Uint8Array {
  return toBinary(WatchRequestSchema, create(WatchRequestSchema, { requestUnion }));
}

/** `uint8Array` of fast-check and the decoder's views differ in class, not in content. */
function plain(array: Uint8Array): number[] {
  return [...array];
}

test("watch requests are read as the generated codec writes them", () => {
  fc.assert(
    fc.property(createRequest, (value) => {
      const read = decodeWatchRequest(encodeRequest(creating(value)));
      assert.ok(read.kind === "create");
      const { key, rangeEnd, ...rest } = read.create;
      assert.deepEqual([plain(key), plain(rangeEnd)], [plain(value.key), plain(value.rangeEnd)]);
      assert.deepEqual(rest, {
        startRevision: Number(value.startRevision),
        progressNotify: value.progressNotify,
        noPut: value.filters.includes(0),
        noDelete: value.filters.includes(1),
        prevKv: value.prevKv,
        watchId: value.watchId,
        fragment: value.fragment,
      });
    }),
  );
  fc.assert(
    fc.property(int64, (watchId) => {
      const cancel = encodeRequest(cancelling(watchId));
      assert.deepEqual(decodeWatchRequest(cancel), { kind: "cancel", watchId });
    }),
  );
  const progress = encodeRequest(PROGRESS);
  assert.deepEqual(decodeWatchRequest(progress), { kind: "progress" });
  assert.deepEqual(decodeWatchRequest(allocBytes(0)), { kind: "none" });
});

test("filters may come one by one, and a union member in pieces; another member replaces it", () => {
  const read = decodeWatchRequest(
    Uint8Array.of(0x0a, 3, 0x0a, 1, 97, 0x0a, 4, 0x28, 0, 0x28, 1, 0x0a, 3, 0x12, 1, 98),
  );
  assert.ok(read.kind === "create");
  const { key, rangeEnd, noPut, noDelete } = read.create;
  assert.deepEqual([plain(key), plain(rangeEnd), noPut, noDelete], [[97], [98], true, true]);
  assert.deepEqual(decodeWatchRequest(Uint8Array.of(0x0a, 0, 0x12, 2, 0x08, 5)), {
    kind: "cancel",
    watchId: 5n,
  });
});

function attempt(input: Uint8Array): void {
  try {
    decodeWatchRequest(input);
  } catch (error) {
    assert.ok(error instanceof ProtoError);
  }
}

test("bytes that are no request are refused with a ProtoError and nothing else", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), attempt), { numRuns: 2000 });
  const request = fc.oneof(
    createRequest.map(creating),
    int64.map(cancelling),
    fc.constant(PROGRESS),
  );
  fc.assert(
    fc.property(request, fc.nat(), fc.nat(255), (union, at, byte) => {
      const valid = encodeRequest(union);
      if (valid.length > 0) valid[at % valid.length] = byte;
      attempt(valid);
      attempt(valid.subarray(0, at % (valid.length + 1)));
    }),
    { numRuns: 1000 },
  );
});

const pair = fc.record({
  key: fc.uint8Array({ minLength: 1, maxLength: 200 }),
  value: fc.uint8Array({ maxLength: 20_000 }),
  createRevision: count.map(BigInt),
  modRevision: count.map((revision) => BigInt(Math.max(1, revision))),
  version: count.map(BigInt),
  lease: int64,
});

test("an event is the field that the generated codec makes of it, put or delete, with and without its past", () => {
  fc.assert(
    fc.property(pair, fc.option(pair), fc.boolean(), (kv, past, isDelete) => {
      const stored = create(KeyValueSchema, isDelete ? { key: kv.key } : kv);
      const told = isDelete ? { key: kv.key, modRevision: kv.modRevision } : kv;
      const event = create(EventSchema, {
        type: isDelete ? 1 : 0,
        kv: create(KeyValueSchema, told),
        ...(past === null ? {} : { prevKv: create(KeyValueSchema, past) }),
      });
      const expected = toBinary(
        WatchResponseSchema,
        create(WatchResponseSchema, { events: [event] }),
      );
      const record = toBinary(KeyValueSchema, stored);
      const revision = Number(kv.modRevision);
      let field = encodeEventField({ record, isDelete, revision }, allocBytes);
      if (past !== null) {
        const previous = toBinary(KeyValueSchema, create(KeyValueSchema, past));
        field = withPreviousPair(field, previous, allocBytes);
      }
      assert.equal(Buffer.compare(field, expected), 0);
    }),
  );
});

test("the pieces before the events are those of the generated codec", () => {
  const control = fc.record({
    watchId: int64,
    created: fc.boolean(),
    canceled: fc.boolean(),
    compactRevision: count,
    cancelReason: fc.string(),
  });
  fc.assert(
    fc.property(control, (c) => {
      const writer = new Writer(1);
      writeWatchControl(writer, { ...c, cancelReason: textToBytes(c.cancelReason) });
      const message = { ...c, compactRevision: BigInt(c.compactRevision) };
      const expected = toBinary(WatchResponseSchema, create(WatchResponseSchema, message));
      assert.equal(Buffer.compare(writer.view(), expected), 0);
    }),
  );
  fc.assert(
    fc.property(int64, (watchId) => {
      const message = create(WatchResponseSchema, { watchId, fragment: true });
      const made = concatBytes([encodeWatchIdField(watchId), FRAGMENT_FIELD]);
      assert.equal(Buffer.compare(made, toBinary(WatchResponseSchema, message)), 0);
    }),
  );
});

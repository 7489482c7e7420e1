import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { bytesToHex } from "../base/index.ts";
import * as gen from "./gen/raftpb/raft_pb.ts";
import {
  type Message,
  ProtoError,
  Reader,
  readRaftMessage,
  Writer,
  writeRaftMessage,
} from "./index.ts";

const plain = { noNullPrototype: true };
const id = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const counter = fc.oneof(fc.constant(0), fc.maxSafeNat());
const bytes = fc.uint8Array({ maxLength: 40 });
const ids = fc.array(id, { maxLength: 3 });
const entry = fc.record(
  { type: fc.constantFrom(0, 1, 2), term: counter, index: counter, data: bytes },
  plain,
);
const confState = fc.record(
  {
    voters: ids,
    learners: ids,
    votersOutgoing: ids,
    learnersNext: ids,
    autoLeave: fc.boolean(),
  },
  plain,
);
const snapshot = fc.record(
  { meta: fc.record({ index: counter, term: counter, confState }, plain), data: bytes },
  plain,
);
const message: fc.Arbitrary<Message> = fc.record(
  {
    type: fc.nat(23),
    to: id,
    from: id,
    term: counter,
    logTerm: counter,
    index: counter,
    entries: fc.array(entry, { maxLength: 4 }),
    commit: counter,
    snapshot: fc.option(snapshot, { nil: undefined }),
    reject: fc.boolean(),
    rejectHint: counter,
    context: bytes,
    vote: fc.constant(0n),
    responses: fc.constant([]),
  },
  plain,
);

function written(m: Message): Uint8Array {
  const w = new Writer(16);
  writeRaftMessage(w, m);
  return Uint8Array.from(w.view());
}

function generated(m: Message): gen.Message {
  const { vote: _vote, responses: _responses, snapshot: s, entries, ...rest } = m;
  return create(gen.MessageSchema, {
    ...numbersToBig(rest),
    entries: entries.map(({ type, term, index, data }) => ({
      Type: type,
      Term: BigInt(term),
      Index: BigInt(index),
      Data: data,
    })),
    ...(s === undefined ? {} : { snapshot: { data: s.data, metadata: big(s.meta) } }),
  } as object);
}

function big(meta: { index: number; term: number; confState: object }) {
  return { index: BigInt(meta.index), term: BigInt(meta.term), confState: meta.confState };
}

function numbersToBig(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) =>
      typeof value === "number" && name !== "type" ? [name, BigInt(value)] : [name, value],
    ),
  );
}

test("a raft message survives writing and reading", () => {
  fc.assert(
    fc.property(message, (m) => {
      assert.deepEqual(readRaftMessage(new Reader(written(m))), m);
    }),
  );
});

test("raft messages are read as the generated codec writes them", () => {
  fc.assert(
    fc.property(message, (m) => {
      const theirs = toBinary(gen.MessageSchema, generated(m));
      assert.deepEqual(readRaftMessage(new Reader(theirs)), m);
    }),
  );
});

test("the generated codec reads raft messages as they were written", () => {
  fc.assert(
    fc.property(message, (m) => {
      const theirs = fromBinary(gen.MessageSchema, written(m));
      assert.equal(theirs.to, m.to);
      assert.equal(theirs.from, m.from);
      const again = readRaftMessage(new Reader(toBinary(gen.MessageSchema, theirs)));
      assert.deepEqual(again, m);
    }),
  );
});

test("a heartbeat of a link is two bytes", () => {
  const heartbeat = readRaftMessage(new Reader(Uint8Array.of(8, 8)));
  assert.equal(heartbeat.from, 0n);
  assert.equal(bytesToHex(written(heartbeat)), "0808");
});

test("a type that does not exist reads as the first one", () => {
  assert.equal(readRaftMessage(new Reader(Uint8Array.of(8, 24))).type, 0);
  assert.equal(readRaftMessage(new Reader(Uint8Array.of(8, 23))).type, 23);
});

test("any bytes are a raft message or a ProtoError", () => {
  const mangled = fc.tuple(message, fc.nat(), fc.nat(255), fc.nat()).map(([m, at, byte, cut]) => {
    const whole = written(m);
    whole[at % whole.length] = byte;
    return whole.subarray(0, cut % (whole.length + 1));
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), mangled), (random) => {
      try {
        readRaftMessage(new Reader(random));
      } catch (error) {
        assert.ok(error instanceof ProtoError, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

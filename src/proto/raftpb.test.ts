import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { bytesToHex, hexToBytes } from "../base/index.ts";
import * as gen from "./gen/raftpb/raft_pb.ts";
import * as genWal from "./gen/walpb/record_pb.ts";
import {
  decodeLogMetadata,
  encodeLogMetadata,
  encodeSnapshot,
  entryBytes,
  ProtoError,
  Reader,
  readConfState,
  readEntry,
  readHardState,
  readSnapshot,
  readWalSnapshot,
  Writer,
  writeConfState,
  writeEntry,
  writeHardState,
  writeWalSnapshot,
} from "./index.ts";

const plain = { noNullPrototype: true };
const id = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const counter = fc.maxSafeNat();
const ids = fc.array(id, { maxLength: 4 });
const entry = fc.record(
  {
    type: fc.constantFrom(0, 1, 2),
    term: counter,
    index: counter,
    data: fc.uint8Array({ maxLength: 300 }),
  },
  plain,
);
const hardState = fc.record({ term: counter, vote: id, commit: counter }, plain);
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
const meta = fc.record({ index: fc.integer({ min: 1 }), term: counter, confState }, plain);

function written(write: (w: Writer) => void): Uint8Array {
  const w = new Writer(16);
  write(w);
  return w.copy();
}

function message(conf: typeof confState extends fc.Arbitrary<infer T> ? T : never) {
  return create(gen.ConfStateSchema, conf);
}

test("the leader's empty entry is term and index alone", () => {
  const empty = { type: 0, term: 2, index: 4, data: new Uint8Array(0) };
  assert.equal(bytesToHex(written((w) => writeEntry(w, empty))), "10021804");
});

test("a hard state has its three fields even when they are zero", () => {
  const state = { term: 1, vote: 0n, commit: 3 };
  assert.equal(bytesToHex(written((w) => writeHardState(w, state))), "080110001803");
});

test("entries read back, and are what the generated codec reads", () => {
  fc.assert(
    fc.property(entry, (value) => {
      const bytes = written((w) => writeEntry(w, value));
      assert.equal(bytes.length, entryBytes(value));
      const read = readEntry(new Reader(bytes));
      assert.deepEqual({ ...read, data: Uint8Array.from(read.data) }, value);
      const other = fromBinary(gen.EntrySchema, bytes);
      const { Type, Term, Index, Data } = other as unknown as Record<string, unknown>;
      assert.deepEqual([Type, Term, Index], [value.type, BigInt(value.term), BigInt(value.index)]);
      assert.deepEqual(Uint8Array.from(Data as Uint8Array), value.data);
    }),
  );
});

test("entries of members before 3.7, which write every field, are read alike", () => {
  const { type, term, index, data } = readEntry(new Reader(hexToBytes("0800100218042200")));
  assert.deepEqual([type, term, index, data.length], [0, 2, 4, 0]);
});

test("hard states read back, and only with all three fields and no other", () => {
  fc.assert(
    fc.property(hardState, (value) => {
      const bytes = written((w) => writeHardState(w, value));
      assert.deepEqual(readHardState(new Reader(bytes)), value);
    }),
  );
  for (const hex of ["", "08011000", "10001803", "0801100018032000", "080110001803220161"]) {
    assert.throws(() => readHardState(new Reader(hexToBytes(hex))), ProtoError, hex);
  }
});

test("configurations are what the generated codec writes, also when packed", () => {
  fc.assert(
    fc.property(confState, (value) => {
      const bytes = written((w) => writeConfState(w, value));
      assert.deepEqual(readConfState(new Reader(bytes)), value);
      assert.deepEqual(
        readConfState(new Reader(toBinary(gen.ConfStateSchema, message(value)))),
        value,
      );
    }),
  );
  assert.deepEqual(readConfState(new Reader(hexToBytes("0a020102"))).voters, [1n, 2n]);
});

test("snapshots and snapshot positions read back", () => {
  fc.assert(
    fc.property(meta, fc.uint8Array(), (value, data) => {
      const position = written((w) => writeWalSnapshot(w, value));
      assert.deepEqual(readWalSnapshot(new Reader(position)), value);
      assert.equal(fromBinary(genWal.SnapshotSchema, position).index, BigInt(value.index));
      const snapshot = readSnapshot(new Reader(encodeSnapshot({ meta: value, data })));
      assert.deepEqual(snapshot.meta, value);
      assert.deepEqual(Uint8Array.from(snapshot.data), Uint8Array.from(data));
    }),
  );
});

test("a snapshot position above 0 needs a configuration", () => {
  assert.equal(readWalSnapshot(new Reader(hexToBytes("08001000"))).index, 0);
  for (const hex of ["", "0800", "08051002"]) {
    assert.throws(() => readWalSnapshot(new Reader(hexToBytes(hex))), ProtoError, hex);
  }
});

test("metadata reads back", () => {
  fc.assert(
    fc.property(id, id, (nodeId, clusterId) => {
      const metadata = { nodeId, clusterId };
      assert.deepEqual(decodeLogMetadata(encodeLogMetadata(metadata)), metadata);
    }),
  );
});

test("a term above 2^53 is refused", () => {
  const bytes = hexToBytes("108080808080808010");
  assert.throws(() => readEntry(new Reader(bytes)), ProtoError);
});

test("bytes from anywhere are read or refused, nothing else", () => {
  const readers = [readEntry, readHardState, readConfState, readWalSnapshot, readSnapshot];
  const valid = fc.oneof(
    entry.map((value) => written((w) => writeEntry(w, value))),
    meta.map((value) => encodeSnapshot({ meta: value, data: new Uint8Array(3) })),
  );
  const mutated = fc.tuple(valid, fc.nat(), fc.nat(255)).map(([bytes, at, byte]) => {
    if (bytes.length > 0) bytes[at % bytes.length] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), mutated), (bytes) => {
      for (const read of readers) {
        try {
          read(new Reader(bytes));
        } catch (error) {
          assert.ok(error instanceof ProtoError);
        }
      }
    }),
  );
});

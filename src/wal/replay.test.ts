import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_CONF_STATE, encodeLogMetadata } from "../proto/index.ts";
import { WalError } from "./errors.ts";
import { Frame, RecordEncoder } from "./record.ts";
import { type Recovered, Replay } from "./replay.ts";
import { segmentName } from "./segment.ts";

const metadata = { nodeId: 7n, clusterId: 9n };
const confState = { ...EMPTY_CONF_STATE, voters: [7n] };

type Write = (encoder: RecordEncoder) => void;

const entry = (index: number, term = 1): Write => {
  const data = new Uint8Array([index, term]);
  return (encoder) => encoder.entry({ term, index, type: 0, data });
};
const state = (commit: number, term = 1): Write => {
  return (encoder) => encoder.state({ term, vote: 7n, commit });
};
const snapshot = (index: number, term = 1): Write => {
  return (encoder) => encoder.snapshot({ index, term, confState });
};
const head: Write = (encoder) => {
  encoder.checksum();
  encoder.metadata(encodeLogMetadata(metadata));
};

/** Replays segments, each begun by its head; the first has the snapshot position 0. */
function replay(segments: Write[][], firstIndex = 0): Recovered | undefined {
  const encoder = new RecordEncoder(0);
  const replayed = new Replay();
  const frame = new Frame();
  segments.forEach((writes, i) => {
    encoder.reset();
    head(encoder);
    if (i === 0 && firstIndex === 0) snapshot(0, 0)(encoder);
    for (const write of writes) write(encoder);
    replayed.beginSegment(segmentName(i, i === 0 ? firstIndex : 1));
    const bytes = encoder.view();
    for (let at = 0; at < bytes.length; at = frame.end) {
      assert.equal(frame.parse(bytes, at, bytes.length), "record");
      if (!replayed.accept(frame, bytes, at)) throw new Error(`damaged at ${at}`);
    }
  });
  return replayed.finish();
}

function indices(recovered: Recovered): number[] {
  const found = [];
  for (let index = recovered.snapshot.index + 1; recovered.placeOf(index); index++)
    found.push(index);
  return found;
}

test("entries, the last hard state and the metadata are recovered", () => {
  const recovered = replay([[entry(1), entry(2), state(1), entry(3), state(2)]])!;
  assert.deepEqual(recovered.metadata, metadata);
  assert.deepEqual(recovered.hardState, { term: 1, vote: 7n, commit: 2 });
  assert.deepEqual(indices(recovered), [1, 2, 3]);
  assert.equal(recovered.lastIndex, 3);
});

test("a later entry replaces the one at its index and all behind it", () => {
  const recovered = replay([[entry(1), entry(2), entry(3), entry(2, 2), state(1, 2)]])!;
  assert.deepEqual(indices(recovered), [1, 2]);
  const places = [1, 2].map((index) => recovered.placeOf(index)!.offset);
  assert.ok(places[1]! - places[0]! > 48, "the second entry 2 stands behind the first 3");
});

test("entries may replace some of a segment before, which was not read", () => {
  const tail = [entry(4), entry(2, 2), entry(3, 2), state(3, 2), snapshot(2, 2)];
  assert.equal(replay([tail], 4), undefined);
  const all = replay([[entry(1), entry(2), entry(3), state(1)], tail])!;
  assert.deepEqual([all.snapshot.index, all.lastIndex], [2, 3]);
  const later = [...tail, entry(4, 2), entry(5, 2), snapshot(4, 2), state(5, 2)];
  assert.deepEqual(indices(replay([later], 4)!), [5]);
});

test("the checksum runs on over segments, and entries are found in each", () => {
  const recovered = replay([
    [entry(1), state(1)],
    [state(1), entry(2)],
    [state(1), entry(3)],
  ])!;
  assert.deepEqual(
    [1, 2, 3].map((index) => recovered.placeOf(index)!.segment),
    [0, 1, 2],
  );
});

test("the start is the last snapshot position that is committed", () => {
  const three = [entry(1), entry(2), entry(3)];
  assert.equal(replay([[...three, state(3), snapshot(2)]])!.snapshot.index, 2);
  assert.equal(replay([[...three, state(2), snapshot(2), snapshot(3)]])!.snapshot.index, 2);
  assert.equal(replay([[...three, state(1), snapshot(2)]])!.snapshot.index, 0);
});

test("a snapshot from the leader bridges a gap", () => {
  const recovered = replay([[entry(1), state(1), snapshot(50, 3), entry(51, 3), state(50, 3)]])!;
  assert.equal(recovered.snapshot.index, 50);
  assert.deepEqual(indices(recovered), [51]);
  const behind = replay([[entry(1), state(1), snapshot(50, 3), state(50, 3)]])!;
  assert.equal(behind.lastIndex, 50);
});

test("a later entry may replace what stands in a segment that was not read", () => {
  // The segment begins at 100; then the end of the log is replaced from 95 on.
  const later = [95, 96, 97, 98, 99, 100, 101].map((index) => entry(index, 2));
  const writes = [state(94), entry(100), entry(101), ...later, state(101, 2), snapshot(100, 2)];
  const recovered = replay([writes], 100)!;
  assert.equal(recovered.snapshot.index, 100);
  assert.deepEqual(indices(recovered), [101]);
  assert.equal(recovered.lastIndex, 101);
});

test("a snapshot from the leader replaces the entries of another term behind it", () => {
  const own = [entry(1), entry(2), entry(3), entry(4), state(1)];
  const received = [...own, snapshot(2, 3), state(2, 3)];
  assert.equal(replay([received])!.lastIndex, 2);
  assert.deepEqual(indices(replay([received])!), []);
  assert.deepEqual(indices(replay([[...received, entry(3, 3)]])!), [3]);
  // As long as it is not committed, the old log stands, and goes on.
  assert.equal(replay([[...own, snapshot(2, 3)]])!.lastIndex, 4);
  assert.equal(replay([[...own, snapshot(2, 3), entry(5)]])!.lastIndex, 5);
  // The member's own snapshot leaves what is behind it.
  assert.equal(replay([[...own, state(3), snapshot(2, 1)]])!.lastIndex, 4);
});

test("a replay that began too late asks for an earlier segment", () => {
  assert.equal(replay([[entry(5), state(4)]], 5), undefined);
  assert.equal(replay([[state(9), entry(10), snapshot(4)]], 10), undefined);
  const enough = replay([[state(9), entry(10), snapshot(9)]], 9)!;
  assert.deepEqual(indices(enough), [10]);
});

const raw = (type: number, data: number[]): Write => {
  return (encoder) => {
    // A record of any type: a metadata record whose type is changed, which no checksum covers.
    const start = encoder.length;
    encoder.metadata(Uint8Array.from(data));
    encoder.view()[start + 9] = type;
  };
};

const refusals: [string, Write[], RegExp][] = [
  [
    "a gap",
    [entry(1), entry(3)],
    /slice bounds out of range, entry 2 is missing, in .* at offset 96/,
  ],
  ["a commit past the end", [entry(1), state(2)], /state\.commit 2 is out of range \[0, 1\]/],
  ["an unknown type", [raw(6, [8, 1])], /unexpected block type 6/],
  ["other metadata", [raw(1, [8, 1, 16, 1])], /metadata differs/],
  ["an entry without term", [raw(2, [0x18, 1])], /entry 1 of term 0/],
  ["an entry without index", [raw(2, [0x10, 1])], /entry 0 of term 1/],
  ["an entry of type 3", [raw(2, [8, 3, 0x10, 1, 0x18, 1])], /type 3 cannot be/],
  ["a hard state that became an entry", [raw(2, [8, 2, 0x10, 1, 0x18, 1])], /has no data/],
  ["an entry that became a hard state", [raw(3, [0x10, 1, 0x18, 1])], /incomplete hard state/],
  [
    "an old empty entry that became one",
    [raw(3, [8, 0, 0x10, 1, 0x18, 1])],
    /hard state of term 0/,
  ],
  [
    "an entry with data that became one",
    [raw(3, [8, 1, 0x10, 1, 0x18, 1, 0x22, 0])],
    /unknown field/,
  ],
  ["a snapshot without configuration", [raw(5, [8, 1, 0x10, 1])], /without configuration/],
  ["two terms of one snapshot", [entry(1), state(1), snapshot(1), snapshot(1, 2)], /terms 1 and 2/],
  ["bytes that are no message", [raw(2, [0x10])], /unexpected end of message/],
  [
    "an entry behind the first",
    [entry(1), state(1), snapshot(9), state(9), entry(10), entry(2)],
    /entry 2 stands/,
  ],
];

for (const [name, writes, expected] of refusals) {
  test(`a sound record that makes no sense is refused: ${name}`, () => {
    assert.throws(
      () => replay([writes]),
      (error) => error instanceof WalError && expected.test(error.message),
    );
  });
}

test("a segment without metadata is refused", () => {
  const replayed = new Replay();
  const encoder = new RecordEncoder(0);
  encoder.checksum();
  entry(1)(encoder);
  replayed.beginSegment(segmentName(0, 0));
  const frame = new Frame();
  frame.parse(encoder.view(), 0, encoder.length);
  assert.ok(replayed.accept(frame, encoder.view(), 0));
  const second = frame.end;
  frame.parse(encoder.view(), second, encoder.length);
  assert.throws(() => replayed.accept(frame, encoder.view(), second), /begin with metadata/);
});

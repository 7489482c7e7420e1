import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesToHex, hexToBytes } from "../base/index.ts";
import { type Entry, MESSAGE_TYPE, type Message, ProtoError, Writer } from "../proto/index.ts";
import { type Decoder, isLinkHeartbeat, MessageDecoder, MsgAppDecoder } from "./decoders.ts";
import { type Encoder, EntryBlock, MessageEncoder, MsgAppEncoder } from "./encoders.ts";
import { messageOf } from "./testing.ts";

const IDS = { local: 0xa1n, remote: 0xf000_0000_0000_00b2n };

function bytesOf(encoder: Encoder, messages: readonly (Message | "heartbeat")[]): Uint8Array {
  const w = new Writer(16);
  for (const m of messages) {
    if (m === "heartbeat") encoder.heartbeat(w);
    else encoder.encode(w, m);
  }
  return w.copy();
}

/** Feeds the bytes in pieces that end at the given places; the pieces are overwritten afterwards. */
function decoded(decoder: Decoder, bytes: Uint8Array, cuts: readonly number[] = []): Message[] {
  const messages: Message[] = [];
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  let at = 0;
  for (const end of ends) {
    const piece = Uint8Array.from(bytes.subarray(at, end));
    decoder.feed(piece, (m) => messages.push(m));
    piece.fill(0xee);
    at = end;
  }
  return messages;
}

/** Entries of one index and term are equal. */
const dataAt = (term: number, index: number) =>
  new Uint8Array((index * 7 + term * 3) % 40).fill(index);

/** What a leader sends: runs of entries that mostly follow each other, now and then from anew. */
const apps = fc
  .array(fc.record({ count: fc.nat(4), jump: fc.nat(9), term: fc.nat(9) }), { maxLength: 8 })
  .map((steps) => {
    let index = 0;
    let term = 1;
    return steps.map(({ count, jump, term: newTerm }) => {
      const logTerm = term;
      if (jump === 0) index = Math.max(0, index - 1);
      if (newTerm === 0) term++;
      const from = index;
      const entries = Array.from({ length: count }, () => {
        index++;
        return { type: 0, term, index, data: dataAt(term, index) };
      });
      return messageOf({
        type: MESSAGE_TYPE.app,
        to: IDS.local,
        from: IDS.remote,
        term,
        logTerm,
        index: from,
        entries,
        commit: from,
      });
    });
  });
const cuts = fc.array(fc.nat(), { maxLength: 12 });
const plain = (messages: readonly Message[]) =>
  messages.map((m) => ({
    ...m,
    context: [...m.context],
    entries: m.entries.map((entry: Entry) => ({ ...entry, data: [...entry.data] })),
  }));

test("entries survive a msgapp stream however it is cut", () => {
  fc.assert(
    fc.property(apps, cuts, (messages, places) => {
      const bytes = bytesOf(new MsgAppEncoder(new EntryBlock()), messages);
      const out = decoded(new MsgAppDecoder(IDS), bytes, places);
      assert.deepEqual(plain(out), plain(messages));
    }),
  );
});

test("messages survive a message stream however it is cut", () => {
  fc.assert(
    fc.property(apps, cuts, (messages, places) => {
      const bytes = bytesOf(new MessageEncoder(), messages);
      assert.deepEqual(plain(decoded(new MessageDecoder(), bytes, places)), plain(messages));
    }),
  );
});

test("an entry larger than what is read at a time arrives whole", () => {
  const data = new Uint8Array(3_000_000).fill(7);
  const entries = [{ type: 0, term: 1, index: 1, data }];
  const m = messageOf({ type: MESSAGE_TYPE.app, to: IDS.local, from: IDS.remote, entries });
  for (const [encoder, decoder] of [
    [new MessageEncoder(), new MessageDecoder()],
    [new MsgAppEncoder(new EntryBlock()), new MsgAppDecoder(IDS)],
  ] as const) {
    const bytes = bytesOf(encoder, [m, m]);
    const places = Array.from({ length: 95 }, (_, i) => i * 65_536);
    const out = decoded(decoder, bytes, places);
    assert.equal(out.length, 2);
    assert.ok(out.every(({ entries: [entry] }) => entry!.data.every((byte) => byte === 7)));
  }
});

test("heartbeats of a link are those of etcd", () => {
  assert.equal(bytesToHex(bytesOf(new MessageEncoder(), ["heartbeat"])), "00000000000000020808");
  assert.equal(bytesToHex(bytesOf(new MsgAppEncoder(new EntryBlock()), ["heartbeat"])), "00");
  const [a] = decoded(new MessageDecoder(), hexToBytes("00000000000000020808"));
  const [b] = decoded(new MsgAppDecoder(IDS), hexToBytes("00"));
  assert.ok(isLinkHeartbeat(a!) && isLinkHeartbeat(b!));
});

test("entries that follow travel without a message around them, also none", () => {
  const entry = { type: 0, term: 2, index: 5, data: Uint8Array.of(1, 2) };
  const fields = { type: MESSAGE_TYPE.app, to: 1n, from: 2n, term: 2, logTerm: 2 };
  const bytes = bytesOf(new MsgAppEncoder(new EntryBlock()), [
    messageOf({ ...fields, index: 4 }),
    messageOf({ ...fields, index: 4, entries: [entry], commit: 4 }),
    messageOf({ ...fields, index: 5, commit: 5 }),
  ]);
  const frames = [
    "02 000000000000000c 0803 1001 1802 2002 2802 3004",
    "01 0000000000000001 0000000000000008 1002 1805 22020102 0000000000000004",
    "01 0000000000000000 0000000000000005",
  ];
  assert.equal(bytesToHex(bytes), frames.join("").replaceAll(" ", ""));
});

test("entries for several followers are encoded once", () => {
  const block = new EntryBlock();
  const entries = [{ type: 0, term: 2, index: 5, data: Uint8Array.of(1, 2) }];
  const first = Uint8Array.from(block.encode(entries));
  const poisoned = [{ ...entries[0]!, data: Uint8Array.of(9, 9) }];
  assert.deepEqual(Uint8Array.from(block.encode(poisoned)), first, "the bytes are not looked at");
  block.forget();
  assert.notDeepEqual(Uint8Array.from(block.encode(poisoned)), first);
});

test("a message that says it is too large is refused", () => {
  const feed = (decoder: Decoder, hex: string) => () => decoded(decoder, hexToBytes(hex));
  const tooLarge = { name: "Error", message: "rafthttp: error limit exceeded" };
  assert.throws(feed(new MessageDecoder(), "0000000020000001"), tooLarge);
  assert.throws(feed(new MessageDecoder(64), "0000000000000041"), tooLarge);
  assert.throws(feed(new MsgAppDecoder(IDS), "02ffffffffffffffff"), tooLarge);
  const entries = "01000000000000000200000000000000000000000020000000";
  assert.throws(feed(new MsgAppDecoder(IDS), entries), tooLarge);
  assert.throws(feed(new MsgAppDecoder(IDS), "07"), {
    message: "failed to parse type 7 in msgappv2 stream",
  });
});

test("any bytes are messages or a ProtoError", () => {
  const mangled = fc.tuple(apps, fc.nat(), fc.nat(255), fc.boolean()).map((drawn) => {
    const [messages, at, byte, isApp] = drawn;
    const encoder = isApp ? new MsgAppEncoder(new EntryBlock()) : new MessageEncoder();
    const bytes = bytesOf(encoder, messages);
    if (bytes.length > 0) bytes[at % bytes.length] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), mangled), cuts, (bytes, places) => {
      for (const decoder of [new MessageDecoder(), new MsgAppDecoder(IDS)]) {
        try {
          decoded(decoder, bytes, places);
        } catch (error) {
          assert.ok(error instanceof ProtoError, String(error));
        }
      }
    }),
    { numRuns: 1000 },
  );
});

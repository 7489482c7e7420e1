import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HeaderField } from "../h2/index.ts";
import { Deadlines, Expiring } from "./deadlines.ts";
import { isOneMessage, MessageReader, messagePrefix, PREFIX_BYTES } from "./message-reader.ts";
import { encodeMetadata, type Metadata, readMetadata } from "./metadata.ts";
import { codeName, decodeMessage, encodeMessage, quote } from "./status.ts";
import { formatTimeout, parseTimeout } from "./timeout.ts";

const MESSAGES: readonly (readonly [string, string])[] = [
  ["", ""],
  ["etcdserver: key not found", "etcdserver: key not found"],
  ["100%", "100%25"],
  ["line\nfeed", "line%0Afeed"],
  ["~ and \x7f", "~ and %7F"],
  ["größe", "gr%C3%B6%C3%9Fe"],
];

for (const [text, wire] of MESSAGES) {
  test(`the message ${JSON.stringify(text)} goes out as ${JSON.stringify(wire)}`, () => {
    assert.equal(encodeMessage(text), wire);
    assert.equal(decodeMessage(wire), text);
  });
}

test("every text survives as a message, and only visible ASCII is sent", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
      const wire = encodeMessage(text);
      assert.match(wire, /^[ -~]*$/);
      assert.equal(decodeMessage(wire), Buffer.from(text, "utf8").toString("utf8"));
    }),
  );
});

test("a % without two digits stands for itself", () => {
  for (const text of ["%", "100%", "%2", "%zz", "%%20"]) {
    assert.equal(decodeMessage(text), text === "%%20" ? "% " : text);
  }
});

test("codes have Go's names", () => {
  assert.deepEqual([0, 1, 16, 17].map(codeName), ["OK", "Canceled", "Unauthenticated", "Code(17)"]);
});

test("texts are quoted as Go does", () => {
  assert.equal(quote('a"b\\c\t\xff'), String.raw`"a\"b\\c\t\xff"`);
});

const TIMEOUTS: readonly (readonly [string, number | string])[] = [
  ["1H", 3_600_000],
  ["2M", 120_000],
  ["3S", 3000],
  ["4m", 4],
  ["5000u", 5],
  ["99999999n", 99.999999],
  ["0n", 0],
  ["S", 'transport: timeout string is too short: "S"'],
  ["123456789S", 'transport: timeout string is too long: "123456789S"'],
  ["1x", 'transport: timeout unit is not recognized: "1x"'],
  ["-1S", 'strconv.ParseUint: parsing "-1": invalid syntax'],
];

for (const [text, expected] of TIMEOUTS) {
  test(`the timeout ${text} means ${expected}`, () => {
    const parsed = parseTimeout(text);
    if (typeof expected === "string") assert.equal(parsed, expected);
    else assert.ok(Math.abs((parsed as number) - expected) < 1e-6);
  });
}

test("a timeout is sent with eight digits at most, and never shortened", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (ms) => {
      const text = formatTimeout(ms);
      assert.match(text, /^\d{1,8}[HMSmun]$/);
      const parsed = parseTimeout(text) as number;
      assert.ok(parsed >= ms * 0.999_999 && parsed <= ms * 1.001 + 1e-5);
    }),
  );
});

test("metadata keeps names, order and bytes, and hides the protocol's own fields", () => {
  const entries = [
    ["token", "abc"],
    ["x-bin", "\x00\xff\x10"],
    ["y-bin", ""],
    ["token", "second"],
  ] as const;
  const fields = encodeMetadata(entries).map((field) => new HeaderField(field.name, field.value));
  const hidden = [new HeaderField(":path", "/"), new HeaderField("te", "trailers")];
  const metadata = readMetadata([...hidden, ...fields]) as Metadata;
  assert.deepEqual([...metadata.entries()], entries);
  assert.equal(metadata.get("token"), "abc");
  assert.equal(metadata.get("te"), undefined);
});

test("any bytes survive in a -bin value, padded or not", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
      const text = Buffer.from(bytes).toString("latin1");
      const padded = Buffer.from(bytes).toString("base64");
      const unpadded = encodeMetadata([["a-bin", text]])[0]!.value;
      assert.equal(unpadded, padded.replaceAll("=", ""));
      for (const value of [padded, unpadded]) {
        const metadata = readMetadata([new HeaderField("a-bin", value)]) as Metadata;
        assert.equal(metadata.get("a-bin"), text);
      }
    }),
  );
});

test("bad base64 is told", () => {
  for (const value of ["a", "ab=c", "a*bc", "=bcd"]) {
    assert.equal(typeof readMetadata([new HeaderField("a-bin", value)]), "string");
  }
});

class Recorder {
  readonly messages: [number, Uint8Array][] = [];

  message(flag: number, bytes: Uint8Array): void {
    this.messages.push([flag, bytes.slice()]);
  }

  announced(length: number): boolean {
    return length <= 1000;
  }
}

test("messages come out as they went in, however the body is cut", () => {
  const messages = fc.array(fc.tuple(fc.nat(1), fc.uint8Array({ maxLength: 60 })), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(messages, fc.array(fc.nat(400), { maxLength: 8 }), (list, where) => {
      const body = Buffer.concat(
        list.flatMap(([flag, bytes]) => [messagePrefix(flag, bytes.length).slice(), bytes]),
      );
      const sink = new Recorder();
      const reader = new MessageReader();
      let at = 0;
      for (const cut of [...where.sort((a, b) => a - b), body.length]) {
        const end = Math.max(at, Math.min(cut, body.length));
        reader.feed(body, at, end, sink);
        at = end;
      }
      assert.deepEqual(
        sink.messages.map(([flag, bytes]) => [flag, [...bytes]]),
        list.map(([flag, bytes]) => [flag, [...bytes]]),
      );
      assert.equal(reader.bufferedBytes, 0);
    }),
  );
});

test("a message that is announced too large stops the reader before memory is taken", () => {
  const reader = new MessageReader();
  const sink = new Recorder();
  const huge = messagePrefix(0, 0xffff_ffff).slice();
  reader.feed(huge, 0, 3, sink);
  reader.feed(huge, 3, 5, sink);
  reader.feed(new Uint8Array(100), 0, 100, sink);
  assert.equal(reader.bufferedBytes, 0);
  assert.equal(sink.messages.length, 0);
});

test("an announced message takes memory only as it comes", () => {
  const reader = new MessageReader();
  reader.feed(messagePrefix(0, 900).slice(), 0, PREFIX_BYTES, new Recorder());
  assert.equal(reader.bufferedBytes, PREFIX_BYTES);
});

test("one whole message is recognised", () => {
  const bytes = Buffer.concat([messagePrefix(0, 3).slice(), Buffer.from("abc")]);
  assert.equal(isOneMessage(bytes, 0, bytes.length), true);
  assert.equal(isOneMessage(bytes, 0, bytes.length - 1), false);
  assert.equal(isOneMessage(bytes, 0, 4), false);
});

class Timer extends Expiring {
  readonly fired: number[] = [];
  nowMs = 0;
  override expired(): void {
    this.fired.push(this.nowMs);
  }
}

test("a deadline fires once, not before its time and at most two slots after", () => {
  const spans = fc.array(fc.record({ in: fc.nat(60_000), keep: fc.boolean() }), { maxLength: 30 });
  fc.assert(
    fc.property(spans, fc.nat(100_000), (list, startMs) => {
      const deadlines = new Deadlines(startMs);
      const timers = list.map(({ in: span }) => {
        const timer = new Timer();
        timer.deadlineMs = startMs + span;
        deadlines.add(timer);
        return timer;
      });
      list.forEach(({ keep }, i) => {
        if (!keep) deadlines.remove(timers[i]!);
      });
      for (let now = startMs; now <= startMs + 61_000; now += 16) {
        for (const timer of timers) timer.nowMs = now;
        deadlines.expire(now);
      }
      list.forEach(({ in: span, keep }, i) => {
        assert.equal(timers[i]!.fired.length, keep ? 1 : 0);
        const late = (timers[i]!.fired[0] ?? startMs + span) - startMs - span;
        assert.ok(late >= 0 && late <= 34, `${late} ms late`);
      });
      assert.equal(deadlines.size, 0);
    }),
    { numRuns: 30 },
  );
});

test("deadlines also fire when time jumps by more than a round of the wheel", () => {
  const deadlines = new Deadlines(0);
  const timers = [10, 5000, 100_000].map((deadlineMs) =>
    Object.assign(new Timer(), { deadlineMs }),
  );
  for (const timer of timers) deadlines.add(timer);
  deadlines.expire(50_000);
  assert.deepEqual(
    timers.map((timer) => timer.fired.length),
    [1, 1, 0],
  );
});

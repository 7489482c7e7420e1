/** Other spellings of a message: what they say must be what was meant. */
import { create, fromBinary, fromJsonString, toBinary } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { LeaseGrantRequestSchema, RangeRequestSchema, TxnRequestSchema } from "../lib/api.ts";
import { Draw } from "./draw.ts";
import { jsonText } from "./json-text.ts";
import { Model } from "./model.ts";
import { plain } from "./plain.ts";
import { join, mutate, split } from "./wire.ts";

const RUNS = 100;

test("every spelling in JSON is read as the message that it spells", () => {
  const prng = new Prng(1);
  const draw = new Draw(prng, new Model());
  for (let run = 0; run < RUNS; run++) {
    const grant = { ID: draw.extreme(), TTL: draw.extreme() };
    for (const [schema, message] of [
      [RangeRequestSchema, create(RangeRequestSchema, draw.range())],
      [TxnRequestSchema, create(TxnRequestSchema, draw.txn())],
      [LeaseGrantRequestSchema, create(LeaseGrantRequestSchema, grant)],
    ] as const) {
      const text = jsonText(schema as typeof RangeRequestSchema, message as never, prng);
      const quoted = text.replaceAll(/:\s?(-?\d{16,})/g, ':"$1"');
      const read = fromJsonString(schema, quoted, { ignoreUnknownFields: true });
      assert.deepEqual(plain(read), plain(message), text);
    }
  }
});

test("a message that is taken apart and put together is the same", () => {
  const draw = new Draw(new Prng(2), new Model());
  for (let run = 0; run < RUNS; run++) {
    const bytes = toBinary(TxnRequestSchema, create(TxnRequestSchema, draw.txn()));
    assert.deepEqual(Buffer.from(join(split(bytes)!)), Buffer.from(bytes));
  }
});

test("changed encodings are messages mostly, and often the same one", () => {
  const draw = new Draw(new Prng(3), new Model());
  let readable = 0;
  let same = 0;
  for (let run = 0; run < RUNS; run++) {
    const message = create(RangeRequestSchema, draw.range());
    try {
      const changed = mutate(toBinary(RangeRequestSchema, message), draw);
      const read = fromBinary(RangeRequestSchema, changed);
      readable++;
      const told = (message: typeof read) => JSON.stringify(plain({ ...message, $unknown: [] }));
      if (told(read) === told(message)) same++;
    } catch {
      // Cut off, or with a field number that nobody may use.
    }
  }
  assert(readable > RUNS / 3 && same > RUNS / 10, `${readable} readable, ${same} the same`);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  EXIT,
  Exit,
  FieldLines,
  type Format,
  goJson,
  RawJson,
  render,
  type View,
} from "./index.ts";

const view: View = {
  simple: (page) => page.line("a", Uint8Array.of(0xff), "b"),
  fields: (lines) => lines.quoted("Key", Uint8Array.of(0x61, 0xff, 0x0a)),
  table: () => ({
    header: ["endpoint", "hash", "hash_revision"],
    rows: [["127.0.0.1:2379", "4060174921", "13"]],
  }),
};

function show(format: Format): Buffer {
  return Buffer.from(render(view, format, (page) => new FieldLines(page)));
}

test("bytes that are not text go out as they are, and quoted where text is wanted", () => {
  assert.deepEqual(show("simple"), Buffer.of(0x61, 0xff, 0x62, 0x0a));
  assert.equal(show("fields").toString(), '"Key" : "a\\xff\\n"\n');
});

// As etcdctl 3.7.3 draws it.
test("a table has centred titles in capitals and cells to the right", () => {
  assert.equal(
    show("table").toString(),
    `┌────────────────┬────────────┬───────────────┐
│    ENDPOINT    │    HASH    │ HASH REVISION │
├────────────────┼────────────┼───────────────┤
│ 127.0.0.1:2379 │ 4060174921 │            13 │
└────────────────┴────────────┴───────────────┘
`,
  );
});

test("a form that an answer does not have ends the program", () => {
  const error = new Exit(EXIT.badFeature, "json not supported as output format");
  assert.throws(() => show("json"), error);
});

test("JSON is written as Go writes it", () => {
  const cases: readonly (readonly [value: unknown, text: string])[] = [
    [{ a: 1, b: undefined, c: null }, '{"a":1,"c":null}'],
    [14841639068965178418n, "14841639068965178418"],
    [Uint8Array.of(0x66, 0x6f, 0x6f), '"Zm9v"'],
    ["<a>&\u2028", '"\\u003ca\\u003e\\u0026\\u2028"'],
    [[true, -1, new RawJson("{}")], "[true,-1,{}]"],
  ];
  for (const [value, text] of cases) assert.equal(goJson(value), text);
});

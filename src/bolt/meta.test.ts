import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Meta, NO_FREELIST, readMeta, writeMeta } from "./meta.ts";

const meta: fc.Arbitrary<Meta> = fc.record(
  {
    pageSize: fc.constantFrom(1024, 4096, 65536),
    root: fc.integer({ min: 2, max: 99 }),
    freelist: fc.constantFrom(NO_FREELIST, 2, 99),
    sizeInPages: fc.integer({ min: 100, max: 0xffff_ffff }),
    txid: fc.maxSafeNat(),
  },
  { noNullPrototype: true },
);

/** Page 1 of an empty file that bbolt 1.5.0 made: page header, then the meta. */
const BBOLT_META_1 =
  "01000000000000000400000000000000" +
  "edda0ced020000000010000000000000" +
  "03000000000000000000000000000000" +
  "02000000000000000400000000000000" +
  "01000000000000000f4879511a354c26";

function pageOf(content: Meta): Uint8Array {
  const page = new Uint8Array(4096).fill(0xee);
  writeMeta(page, 1, content);
  return page;
}

const SAMPLE: Meta = { pageSize: 4096, root: 3, freelist: 2, sizeInPages: 4, txid: 1 };

test("a meta is read back as it was written", () => {
  fc.assert(fc.property(meta, (content) => assert.deepEqual(readMeta(pageOf(content)), content)));
});

test("the checksum is FNV-1a over the first 56 bytes", () => {
  fc.assert(
    fc.property(meta, (content) => {
      const page = Buffer.from(pageOf(content));
      let hash = 0xcbf29ce484222325n;
      for (const byte of page.subarray(16, 72)) {
        hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
      }
      assert.equal(page.readBigUInt64LE(72), hash);
    }),
  );
});

test("the second meta of a file made by bbolt 1.5.0 is written byte for byte", () => {
  const page = Buffer.from(pageOf(SAMPLE)).subarray(0, 80);
  assert.equal(page.toString("hex"), BBOLT_META_1);
});

test("a meta with any bit flipped is refused, and the reason is said", () => {
  fc.assert(
    fc.property(meta, fc.integer({ min: 16 * 8, max: 80 * 8 - 1 }), (content, bit) => {
      const page = pageOf(content);
      page[bit >>> 3]! ^= 1 << (bit & 7);
      assert.equal(typeof readMeta(page), "string");
    }),
  );
});

const REFUSALS: [string, (view: DataView) => void, RegExp][] = [
  ["another format", (view) => view.setUint32(16, 1, true), /not a bbolt file/],
  ["a newer version", (view) => view.setUint32(20, 3, true), /format version 3 is not 2/],
  ["a wrong checksum", (view) => view.setUint32(60, 1, true), /checksum is wrong/],
];

for (const [what, change, reason] of REFUSALS) {
  test(`${what} is refused in words`, () => {
    const page = pageOf(SAMPLE);
    change(new DataView(page.buffer));
    assert.match(readMeta(page) as string, reason);
  });
}

function readChanged(change: Partial<Meta>): Meta | string {
  return readMeta(pageOf({ ...SAMPLE, ...change }));
}

test("a sound meta with impossible content is refused in words", () => {
  assert.match(readChanged({ pageSize: 5000 }) as string, /page size 5000 is not supported/);
  assert.match(readChanged({ root: 4 }) as string, /root page 4 is outside the file/);
  assert.match(readChanged({ freelist: 1 }) as string, /free list page 1 is outside the file/);
  assert.match(readChanged({ sizeInPages: 2 ** 32 }) as string, /more than supported/);
});

test("any bytes are a meta or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.equal(typeof readMeta(bytes), "string");
    }),
  );
});

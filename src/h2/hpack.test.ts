import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ConnectionError } from "./frames.ts";
import { EncodedField, HpackDecoder, HpackEncoder } from "./hpack.ts";
import { CODE_BITS, huffmanDecode } from "./huffman.ts";
import { BufferPool, OutputBuffer } from "./output.ts";
import { bytesOf, join, pairs } from "./testkit.ts";

function decoder(): HpackDecoder {
  return new HpackDecoder({ listBytesMax: 64 * 1024 });
}

function decodeHex(hpack: HpackDecoder, hex: string): string[] {
  const bytes = bytesOf(hex);
  return pairs(hpack.decode(bytes, 0, bytes.length)).map(([name, value]) => `${name}: ${value}`);
}

const REQUESTS = [
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
  [
    ":method: GET",
    ":scheme: http",
    ":path: /",
    ":authority: www.example.com",
    "cache-control: no-cache",
  ],
  [
    ":method: GET",
    ":scheme: https",
    ":path: /index.html",
    ":authority: www.example.com",
    "custom-key: custom-value",
  ],
];

const COOKIE = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
const RESPONSES = [
  [
    ":status: 302",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:21 GMT",
    "location: https://www.example.com",
  ],
  [
    ":status: 307",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:21 GMT",
    "location: https://www.example.com",
  ],
  [
    ":status: 200",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:22 GMT",
    "location: https://www.example.com",
    "content-encoding: gzip",
    `set-cookie: ${COOKIE}`,
  ],
];

/** The examples of RFC 7541, appendix C. */
const EXAMPLES: readonly { name: string; blocks: readonly string[]; lists: string[][] }[] = [
  {
    name: "C.2 literals",
    blocks: [
      "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
      "040c 2f73 616d 706c 652f 7061 7468",
      "1008 7061 7373 776f 7264 0673 6563 7265 74",
      "82",
    ],
    lists: [
      ["custom-key: custom-header"],
      [":path: /sample/path"],
      ["password: secret"],
      [":method: GET"],
    ],
  },
  {
    name: "C.3 requests without Huffman coding",
    blocks: [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ],
    lists: REQUESTS,
  },
  {
    name: "C.4 requests with Huffman coding",
    blocks: [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ],
    lists: REQUESTS,
  },
  {
    name: "C.5 responses without Huffman coding, in a table of 256 bytes",
    blocks: [
      `3fe1 01
       4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a
       3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
      "4803 3330 37c1 c0bf",
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04
       677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49
       553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
    ],
    lists: RESPONSES,
  },
  {
    name: "C.6 responses with Huffman coding, in a table of 256 bytes",
    blocks: [
      `3fe1 01
       4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e
       919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
      "4883 640e ffc1 c0bf",
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7
       821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed
       4ee5 b106 3d50 07`,
    ],
    lists: RESPONSES,
  },
];

for (const { name, blocks, lists } of EXAMPLES) {
  test(`the examples of RFC 7541 decode: ${name}`, () => {
    const hpack = decoder();
    blocks.forEach((block, i) => assert.deepEqual(decodeHex(hpack, block), lists[i]));
  });
}

const BAD_BLOCKS: readonly (readonly [string, string])[] = [
  ["index 0", "80"],
  ["an index outside the tables", "be"],
  ["an integer that never ends", "ff ffff ffff ff"],
  ["an integer above 2^28", "ff 8080 8080 01"],
  ["a string longer than the block", "00 05 6162"],
  ["a block that ends within a field", "00"],
  ["a table size above the limit", "3f e2 1f"],
  ["a table size after a field", "82 20"],
  ["Huffman padding of a whole byte", "00 01 61 82 1f ff"],
  ["Huffman padding with zeros", "00 01 61 81 18"],
  ["the end-of-string code", "00 01 61 84 ff ff ff ff"],
];

for (const [what, hex] of BAD_BLOCKS) {
  test(`a block is refused for ${what}`, () => {
    assert.throws(() => decodeHex(decoder(), hex), { code: 9 });
  });
}

/** A canonical code made from the lengths, the other way round than the decoder makes it. */
function huffmanEncode(bytes: Uint8Array): Uint8Array {
  const codes = new Map<number, string>();
  let next = 0n;
  for (let bits = 1; bits <= 30; bits++, next <<= 1n) {
    CODE_BITS.forEach((length, symbol) => {
      if (length === bits) codes.set(symbol, (next++).toString(2).padStart(bits, "0"));
    });
  }
  const text = [...bytes].map((byte) => codes.get(byte)).join("");
  const padded = text.padEnd(Math.ceil(text.length / 8) * 8, "1");
  return Uint8Array.from(padded.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}

test("every byte survives Huffman coding", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  fc.assert(
    fc.property(fc.oneof(fc.constant(all), fc.uint8Array({ maxLength: 40 })), (bytes) => {
      const coded = huffmanEncode(bytes);
      const room = new Uint8Array(Math.floor((coded.length * 8) / 5));
      const length = huffmanDecode(coded, 0, coded.length, room);
      assert.deepEqual(room.subarray(0, length), bytes);
    }),
    { numRuns: 50 },
  );
});

const byteText = fc.string({
  unit: fc.integer({ min: 1, max: 255 }).map((c) => String.fromCharCode(c)),
});
const anyField = fc.record({
  name: fc.constantFrom(":path", "te", "content-type", "x", "y-bin", "grpc-timeout"),
  value: fc.oneof(
    byteText,
    fc.constant("application/grpc"),
    fc.string({ minLength: 2000, maxLength: 5000 }),
  ),
  recurring: fc.boolean(),
});

test("what the encoder writes the decoder reads, whatever the size of the table", () => {
  fc.assert(
    fc.property(
      fc.array(anyField, { minLength: 1, maxLength: 8 }),
      fc.array(
        fc.record({
          picks: fc.array(fc.nat(7), { maxLength: 6 }),
          sizes: fc.array(fc.nat(8192), { maxLength: 2 }),
        }),
        { maxLength: 12 },
      ),
      (kinds, blocks) => {
        const known = kinds.map((f) => new EncodedField(f.name, latin1(f.value), f));
        const encoder = new HpackEncoder();
        const hpack = new HpackDecoder({ listBytesMax: 1024 * 1024 });
        for (const { picks, sizes } of blocks) {
          for (const size of sizes) encoder.limitTable(size);
          const fields = picks.map((i) => known[i % known.length]!);
          const out = new OutputBuffer(new BufferPool());
          encoder.encode(out, fields);
          const list = hpack.decode(out.bytes, 0, out.length);
          assert.deepEqual(
            pairs(list),
            fields.map((field) => [field.name, field.value]),
          );
        }
      },
    ),
    { numRuns: 100 },
  );
});

function latin1(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

test("equal blocks of indexes share one list until the table changes", () => {
  const hpack = decoder();
  decodeHex(hpack, "40 01 61 01 62");
  const block = bytesOf("82 be");
  const first = hpack.decode(block, 0, block.length);
  assert.equal(hpack.decode(block, 0, block.length), first);
  decodeHex(hpack, "40 01 61 01 63");
  assert.deepEqual(pairs(hpack.decode(block, 0, block.length)).at(-1), ["a", "c"]);
});

test("a list beyond its limit is cut short and marked, and the tables stay in step", () => {
  const hpack = new HpackDecoder({ listBytesMax: 16 * 1024 });
  const value = "v".repeat(3000);
  const entry = join(bytesOf("40 01 61 7f b9 16"), Buffer.from(value));
  const bomb = join(entry, new Uint8Array(10_000).fill(0xbe));
  const list = hpack.decode(bomb, 0, bomb.length);
  assert.equal(list.tooLarge, true);
  assert.ok(list.fields.length <= 6);
  assert.deepEqual(decodeHex(hpack, "be"), [`a: ${value}`]);
});

test("no bytes make the decoder throw anything but its own error", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }), (blocks) => {
      const hpack = decoder();
      for (const block of blocks) {
        try {
          hpack.decode(block, 0, block.length);
        } catch (error) {
          assert.ok(error instanceof ConnectionError);
          return;
        }
      }
    }),
    { numRuns: 1000 },
  );
});

test("a damaged block is decoded or refused", () => {
  const valid = EXAMPLES.flatMap((example) => example.blocks.map(bytesOf));
  fc.assert(
    fc.property(fc.constantFrom(...valid), fc.nat(), fc.nat(255), (block, at, byte) => {
      const damaged = block.slice();
      damaged[at % damaged.length] = byte;
      try {
        decoder().decode(damaged, 0, damaged.length);
      } catch (error) {
        assert.ok(error instanceof ConnectionError);
      }
    }),
    { numRuns: 1000 },
  );
});

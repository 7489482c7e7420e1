import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesToHex } from "../base/index.ts";
import { Freelist } from "./freelist.ts";
import { MemoryFile } from "./memory-file.ts";
import { Node } from "./node.ts";
import { Pager } from "./pager.ts";
import { pageCount } from "./page.ts";
import { Rows } from "./rows.ts";
import { Slices } from "./slices.ts";
import { fillPage, Spill } from "./spill.ts";

test("a leaf page is laid out as bbolt does it, and nothing of the memory before is left", () => {
  const rows = new Rows();
  const sources = [Buffer.from("xkeyvaluekey2"), Buffer.from("k3")];
  rows.push(0, 1, 3, 5);
  rows.push(0, 9, 4, 0);
  rows.push(1, 0, 1, 1);
  const page = new Uint8Array(96).fill(0xee);
  fillPage(page, { id: 9, overflow: 0 }, { rows, isLeaf: true, from: 0, to: 3 }, sources);
  const expected = [
    "0900000000000000 0200 0300 00000000",
    "00000000 30000000 03000000 05000000",
    "00000000 28000000 04000000 00000000",
    "00000000 1c000000 01000000 01000000",
    Buffer.from("keyvaluekey2k3").toString("hex"),
  ];
  assert.equal(bytesToHex(page), expected.join("").replaceAll(" ", "").padEnd(192, "0"));
});

test("a branch page is laid out as bbolt does it", () => {
  const rows = new Rows();
  rows.push(0, 0, 1, 5);
  rows.push(0, 1, 2, 0xffff_fffe);
  const page = new Uint8Array(64).fill(0xee);
  const part = { rows, isLeaf: false, from: 0, to: 2 };
  fillPage(page, { id: 3, overflow: 0 }, part, [Buffer.from("abc")]);
  const expected = [
    "0300000000000000 0100 0200 00000000",
    "20000000 01000000 0500000000000000",
    "11000000 02000000 feffffff00000000",
    "616263",
  ];
  assert.equal(bytesToHex(page), expected.join("").replaceAll(" ", "").padEnd(128, "0"));
});

/** Rows per page by bbolt's rule, in the simplest words. */
function cuts(sizes: number[], pageSize: number, fill: number): number[] {
  const total = 16 + sizes.reduce((sum, size) => sum + size, 0);
  if (sizes.length <= 4 || total < pageSize) return [sizes.length];
  let rows = 0;
  for (let bytes = 16; rows < sizes.length - 2; bytes += sizes[rows++]!) {
    if (rows >= 2 && bytes + sizes[rows]! > pageSize * fill) break;
  }
  if (rows === sizes.length - 2) rows--;
  return [rows, ...cuts(sizes.slice(rows), pageSize, fill)];
}

const valueBytes = fc.oneof(fc.nat(200), fc.nat(3000));

test("leaves are cut where bbolt cuts them", () => {
  const values = fc.array(valueBytes, { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(values, fc.constantFrom(0.1, 0.5, 0.9, 1), (values, fill) => {
      const pager = new Pager({ source: new MemoryFile(), pageSize: 1024, limit: 2 });
      const source = pager.addSource(new Uint8Array(4000));
      const leaf = new Node({ isLeaf: true });
      for (const bytes of values) leaf.rows.push(source, 0, 4, bytes);
      const spill = new Spill(pager, new Freelist(), new Slices());
      for (const _ of spill.tree(leaf, fill));
      const sizes = values.map((bytes) => 16 + 4 + bytes);
      const expected = cuts(sizes, 1024, fill);
      const leaves = spill.pages.filter(({ bytes }) => bytes[8] === 2);
      assert.deepEqual(
        leaves.map(({ bytes }) => pageCount(bytes)),
        expected,
      );
    }),
  );
});

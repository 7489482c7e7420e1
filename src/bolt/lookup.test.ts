import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { equalBytes } from "../base/index.ts";
import { Lookup } from "./lookup.ts";
import { MemoryFile } from "./memory-file.ts";
import type { PageSource } from "./pager.ts";
import { finish, FlakySource, patiently } from "./testing.ts";

const PAGE_BYTES = 1024;

/** Reads briefly into the same memory each time. */
class ForgetfulSource implements PageSource {
  readonly #whole: PageSource;
  #memory = new Uint8Array(PAGE_BYTES);

  constructor(whole: PageSource) {
    this.#whole = whole;
  }

  read(id: number): Uint8Array | undefined {
    return this.#whole.read(id);
  }

  readBriefly(id: number): Uint8Array | undefined {
    const page = this.#whole.read(id);
    if (page === undefined) return undefined;
    if (page.length > this.#memory.length) this.#memory = new Uint8Array(page.length);
    this.#memory.fill(0);
    this.#memory.set(page);
    return this.#memory.subarray(0, page.length);
  }
}

const key = fc.nat(600).map((n) => new TextEncoder().encode(String(n)));
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ put: key, bytes: fc.nat(1500) }) },
  { weight: 1, arbitrary: fc.record({ remove: key }) },
  { weight: 12, arbitrary: fc.record({ look: key, by: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.constant("commit" as const) },
);

test("a lookup finds what a get finds, between changes and beside other lookups", () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(step, { maxLength: 400 }), (misses, steps) => {
      const file = new MemoryFile(PAGE_BYTES);
      const whole: PageSource = new ForgetfulSource(file);
      const source = misses ? new FlakySource(file) : whole;
      const db = file.open(source);
      const bucket = patiently(source, () => db.bucket("b"));
      for (let n = 0; n < 300; n++) {
        bucket.put(new TextEncoder().encode(String(n * 2)), new Uint8Array(n % 40).fill(n));
      }
      const lookups = [new Lookup(bucket.tree), new Lookup(bucket.tree)];
      for (const step of steps) {
        if (step === "commit") {
          const commit = finish(source, () => db.commit());
          if (commit === undefined) continue;
          file.write(commit);
          db.committed(commit.txid);
        } else if ("put" in step) {
          patiently(source, () =>
            bucket.put(step.put, new Uint8Array(step.bytes).fill(step.bytes)),
          );
        } else if ("remove" in step) {
          patiently(source, () => bucket.delete(step.remove));
        } else {
          const found = patiently(source, () => lookups[step.by]!.get(step.look)?.slice());
          const value = patiently(source, () => bucket.get(step.look));
          assert.equal(found === undefined, value === undefined);
          assert.ok(value === undefined || equalBytes(found!, value));
        }
      }
    }),
    { numRuns: 60 },
  );
});

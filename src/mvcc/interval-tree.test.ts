import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareBytes } from "../base/index.ts";
import { IntervalTree } from "./interval-tree.ts";

const key = fc.uint8Array({ minLength: 1, maxLength: 2, max: 6 });
const interval = fc.record({ from: key, to: fc.option(key, { nil: undefined, freq: 4 }) });
type Interval = { from: Uint8Array; to: Uint8Array | undefined };

function nameOf({ from, to }: Interval): string {
  return `${from.join(".")} ${to === undefined ? "end" : to.join(".")}`;
}

function contains({ from, to }: Interval, at: Uint8Array): boolean {
  return compareBytes(from, at) <= 0 && (to === undefined || compareBytes(at, to) < 0);
}

test("a stab finds exactly the intervals that contain the key, whatever was added and removed", () => {
  const step = fc.record({ remove: fc.boolean(), interval });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.array(key), (steps, points) => {
      const tree = new IntervalTree<string>();
      const model = new Map<string, Interval>();
      for (const step of steps) {
        const name = nameOf(step.interval);
        const { from, to } = step.interval;
        assert.equal(tree.find(from, to), model.has(name) ? name : undefined);
        if (model.delete(name)) tree.remove(from, to);
        else if (!step.remove) {
          tree.insert(from, to, name);
          model.set(name, step.interval);
        }
      }
      assert.equal(tree.size, model.size);
      for (const point of points) {
        const found: string[] = [];
        tree.stab(point, (name) => found.push(name));
        const expected = [...model].filter(([, range]) => contains(range, point));
        assert.deepEqual(found.toSorted(), expected.map(([name]) => name).toSorted());
      }
    }),
  );
});

function at(i: number): Uint8Array {
  return Uint8Array.of(i >> 8, i & 0xff);
}

test("ascending intervals do not make a list of the tree: 20,000 fit the stack and are found", () => {
  const tree = new IntervalTree<number>();
  for (let i = 0; i < 20_000; i++) tree.insert(at(i), at(i + 1), i);
  const found: number[] = [];
  tree.stab(at(12_345), (i) => found.push(i));
  assert.deepEqual(found, [12_345]);
  for (let i = 0; i < 20_000; i++) tree.remove(at(i), at(i + 1));
  assert.equal(tree.size, 0);
});

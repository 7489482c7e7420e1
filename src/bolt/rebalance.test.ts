import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesToText, textToBytes } from "../base/index.ts";
import { Cursor } from "./cursor.ts";
import { MemoryFile } from "./memory-file.ts";
import { Node } from "./node.ts";
import { Pager } from "./pager.ts";
import { rebalance } from "./rebalance.ts";
import { Slices } from "./slices.ts";
import { Tree } from "./tree.ts";

const pager = new Pager({ source: new MemoryFile(), pageSize: 1024, limit: 2 });

function addRow(node: Node, at: number, key: string): void {
  const source = pager.addSource(textToBytes(key));
  node.rows.insert(at, source, 0, key.length, 0);
}

/** A leaf with keys and empty values. */
function leaf(...keys: string[]): Node {
  const node = new Node({ isLeaf: true });
  keys.forEach((key, i) => addRow(node, i, key));
  return node;
}

function branch(...children: [string, Node][]): Node {
  const node = new Node({ isLeaf: false });
  for (const [key, child] of children) {
    addRow(node, node.rows.count, key);
    node.children.push(child);
  }
  return node;
}

function keysOf(tree: Tree): string {
  const keys: string[] = [];
  const cursor = new Cursor(tree);
  for (let found = cursor.first(); found; found = cursor.next()) keys.push(bytesToText(cursor.key));
  return keys.join(" ");
}

function balanced(tree: Tree): Tree {
  for (const _ of rebalance(tree, 0.5, new Slices(1))) keysOf(tree);
  return tree;
}

function remove(tree: Tree, ...keys: string[]): void {
  for (const key of keys) assert.ok(tree.delete(textToBytes(key)));
}

test("a small leaf joins the one before it, and the root with one child goes", () => {
  const tree = new Tree(pager, branch(["a", leaf("a", "b")], ["c", leaf("c", "d")]));
  remove(tree, "c");
  assert.equal(keysOf(balanced(tree)), "a b d");
  assert.ok((tree.root as Node).isLeaf);
});

test("the first leaf, when small, is joined by the one after it", () => {
  const tree = new Tree(pager, branch(["a", leaf("a", "b")], ["c", leaf("c", "d")]));
  remove(tree, "a");
  assert.equal(keysOf(balanced(tree)), "b c d");
  assert.ok((tree.root as Node).isLeaf);
});

test("a tree of which all is deleted becomes one empty leaf", () => {
  const low = branch(["a", leaf("a")], ["b", leaf("b")]);
  const high = branch(["c", leaf("c")], ["d", leaf("d")]);
  const tree = new Tree(pager, branch(["a", low], ["c", high]));
  remove(tree, "c", "d", "a", "b");
  assert.equal(keysOf(balanced(tree)), "");
  assert.ok((tree.root as Node).isLeaf);
});

test("a key below the first of its branch is still found when the branch joins another", () => {
  // "m" bounds the high branch, whose own first key is "p": "n" goes to the leaf of "p".
  const low = branch(["a", leaf("a")], ["b", leaf("b")]);
  const high = branch(["p", leaf("p")], ["q", leaf("q", "r")]);
  const tree = new Tree(pager, branch(["a", low], ["m", high]));
  tree.reserve(textToBytes("n"), 0);
  remove(tree, "q", "r");
  assert.equal(keysOf(balanced(tree)), "a b n p");
  assert.ok(tree.get(textToBytes("n")));
});

test("a page that is small but was not thinned stays as it is", () => {
  const tree = new Tree(pager, branch(["a", leaf("a")], ["b", leaf("b", "c")]));
  tree.reserve(textToBytes("d"), 0);
  balanced(tree);
  assert.equal((tree.root as Node).rows.count, 2);
});

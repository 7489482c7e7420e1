import { assert, compareBytes } from "../base/index.ts";

/** One interval `[from, to)` of keys; no `to` means that it has no upper end. */
interface Node<T> {
  from: Uint8Array;
  to: Uint8Array | undefined;
  value: T;
  height: number;
  /** The highest `to` in this subtree. */
  reach: Uint8Array | undefined;
  left: Node<T> | undefined;
  right: Node<T> | undefined;
}

type Tree<T> = Node<T> | undefined;

/**
 * Half-open intervals of keys, found by a key inside them: an AVL tree ordered by `(from, to)` in
 * which every node knows how far its subtree reaches, so that a search passes over subtrees that
 * end before the key. An interval is held once; a balanced tree (and not a randomised one) because
 * clients choose the intervals.
 */
export class IntervalTree<T> {
  #root: Tree<T>;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  find(from: Uint8Array, to: Uint8Array | undefined): T | undefined {
    let node = this.#root;
    while (node !== undefined) {
      const order = compareIntervals(from, to, node);
      if (order === 0) return node.value;
      node = order < 0 ? node.left : node.right;
    }
    return undefined;
  }

  /** Adds an interval that is not in the tree yet. The tree keeps both byte arrays. */
  insert(from: Uint8Array, to: Uint8Array | undefined, value: T): void {
    const node = { from, to, value, height: 1, reach: to, left: undefined, right: undefined };
    this.#root = insert(this.#root, node);
    this.#size++;
  }

  /** Takes out an interval that is in the tree. */
  remove(from: Uint8Array, to: Uint8Array | undefined): void {
    this.#root = remove(this.#root, from, to);
    this.#size--;
  }

  /** Calls `visit` for every interval that contains `key`, in order of `(from, to)`. */
  stab(key: Uint8Array, visit: (value: T) => void): void {
    stab(this.#root, key, visit);
  }

  /** All values, in order of `(from, to)`. */
  values(): Generator<T, void> {
    return walk(this.#root);
  }
}

function* walk<T>(node: Tree<T>): Generator<T, void> {
  if (node === undefined) return;
  yield* walk(node.left);
  yield node.value;
  yield* walk(node.right);
}

function stab<T>(node: Tree<T>, key: Uint8Array, visit: (value: T) => void): void {
  if (node === undefined || !isBefore(key, node.reach)) return;
  stab(node.left, key, visit);
  // Everything to the right begins behind the key too.
  if (compareBytes(node.from, key) > 0) return;
  if (isBefore(key, node.to)) visit(node.value);
  stab(node.right, key, visit);
}

function insert<T>(node: Tree<T>, added: Node<T>): Node<T> {
  if (node === undefined) return added;
  const order = compareIntervals(added.from, added.to, node);
  assert(order !== 0, "an interval is added twice");
  if (order < 0) node.left = insert(node.left, added);
  else node.right = insert(node.right, added);
  return balance(node);
}

function remove<T>(node: Tree<T>, from: Uint8Array, to: Uint8Array | undefined): Tree<T> {
  assert(node !== undefined, "the interval is not in the tree");
  const order = compareIntervals(from, to, node);
  if (order === 0) return join(node.left, node.right);
  if (order < 0) node.left = remove(node.left, from, to);
  else node.right = remove(node.right, from, to);
  return balance(node);
}

/** One tree of two whose heights differ by at most one, all of `left` being before `right`. */
function join<T>(left: Tree<T>, right: Tree<T>): Tree<T> {
  if (left === undefined) return right;
  if (right === undefined) return left;
  let first = right;
  while (first.left !== undefined) first = first.left;
  first.right = withoutFirst(right);
  first.left = left;
  return balance(first);
}

function withoutFirst<T>(node: Node<T>): Tree<T> {
  if (node.left === undefined) return node.right;
  node.left = withoutFirst(node.left);
  return balance(node);
}

/** Restores `height`, `reach` and the AVL rule of a node whose children obey them. */
function balance<T>(node: Node<T>): Node<T> {
  const tilt = heightOf(node.left) - heightOf(node.right);
  if (tilt > 1) {
    const left = node.left!;
    if (heightOf(left.left) < heightOf(left.right)) node.left = rotateLeft(left);
    return rotateRight(node);
  }
  if (tilt < -1) {
    const right = node.right!;
    if (heightOf(right.right) < heightOf(right.left)) node.right = rotateRight(right);
    return rotateLeft(node);
  }
  return refresh(node);
}

function rotateRight<T>(node: Node<T>): Node<T> {
  const top = node.left!;
  node.left = top.right;
  top.right = refresh(node);
  return refresh(top);
}

function rotateLeft<T>(node: Node<T>): Node<T> {
  const top = node.right!;
  node.right = top.left;
  top.left = refresh(node);
  return refresh(top);
}

function refresh<T>(node: Node<T>): Node<T> {
  const { left, right } = node;
  node.height = 1 + Math.max(heightOf(left), heightOf(right));
  node.reach = node.to;
  if (left !== undefined) node.reach = farther(node.reach, left.reach);
  if (right !== undefined) node.reach = farther(node.reach, right.reach);
  return node;
}

function heightOf<T>(node: Tree<T>): number {
  return node === undefined ? 0 : node.height;
}

function farther(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  return compareEnds(a, b) < 0 ? b : a;
}

function isBefore(key: Uint8Array, end: Uint8Array | undefined): boolean {
  return end === undefined || compareBytes(key, end) < 0;
}

function compareIntervals<T>(from: Uint8Array, to: Uint8Array | undefined, node: Node<T>): number {
  return compareBytes(from, node.from) || compareEnds(to, node.to);
}

function compareEnds(a: Uint8Array | undefined, b: Uint8Array | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return compareBytes(a, b);
}

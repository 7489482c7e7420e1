import { BoltError } from "./errors.ts";
import { childOf, isLeaf, Node, openPage } from "./node.ts";
import { type Pager } from "./pager.ts";
import { PAGE_COST, ROW_COST, type Slices } from "./slices.ts";
import { type Tree } from "./tree.ts";

/**
 * Merges pages that deletes left too small, drops empty ones, and lowers a root with a single
 * child. Each merge leaves a whole tree behind. So when a neighbour is not in memory and PageMiss
 * ends the work, it can simply be begun again.
 */
export function* rebalance(tree: Tree, fillPercent: number, slices: Slices): Generator<void> {
  if (!(tree.root instanceof Node)) return;
  const smallBytes = (tree.pager.pageSize * fillPercent) / 2;
  yield* mergeBelow(tree, tree.root, smallBytes, slices);
  lowerRoot(tree);
}

function* mergeBelow(
  tree: Tree,
  branch: Node,
  smallBytes: number,
  slices: Slices,
): Generator<void> {
  for (let i = branch.children.length - 1; i >= 0; i--) {
    const child = branch.children[i];
    if (child === undefined) continue;
    yield* mergeBelow(tree, child, smallBytes, slices);
    if (!child.thinned) continue;
    const cost = PAGE_COST + child.rows.count * ROW_COST;
    mergeChild(tree, branch, i, smallBytes);
    // Never between an emptied branch and its removal: readers could not pass through it.
    if (branch.rows.count > 0 && slices.spend(cost)) yield;
  }
}

function isSmall(node: Node, smallBytes: number): boolean {
  const rowsMin = node.isLeaf ? 1 : 2;
  return node.rows.count <= rowsMin || node.bytes <= smallBytes;
}

function mergeChild(tree: Tree, branch: Node, index: number, smallBytes: number): void {
  const child = branch.children[index]!;
  if (child.rows.count === 0) {
    branch.remove(index);
    tree.reshaped();
    return;
  }
  if (branch.rows.count === 1 || !isSmall(child, smallBytes)) {
    child.thinned = false;
    return;
  }
  const leftIndex = index === 0 ? 0 : index - 1;
  const left = openChild(tree.pager, branch, leftIndex, child);
  const right = openChild(tree.pager, branch, leftIndex + 1, child);
  // In its own page the first key of a branch is never compared, so it may be too high. As an
  // inner key it must be the true bound, and that stands in the parent.
  if (!right.isLeaf) right.rows.setKey(0, branch.rows, leftIndex + 1);
  left.append(right);
  left.thinned = true;
  branch.remove(leftIndex + 1);
  tree.reshaped();
}

function openChild(pager: Pager, branch: Node, index: number, beside: Node): Node {
  const opened = branch.children[index];
  if (opened !== undefined) return opened;
  const page = childOf(pager, branch, index);
  if (isLeaf(page) !== beside.isLeaf) {
    throw new BoltError(`page ${branch.rows.page(index)} is on a level with pages of another kind`);
  }
  const node = page instanceof Node ? page : openPage(pager, page);
  branch.children[index] = node;
  return node;
}

function lowerRoot(tree: Tree): void {
  let { root } = tree;
  while (root instanceof Node && !root.isLeaf && root.rows.count <= 1) {
    if (root.rows.count === 0) root = new Node({ isLeaf: true });
    else root = root.children[0] ?? root.rows.page(0);
    tree.root = root;
    tree.reshaped();
  }
}

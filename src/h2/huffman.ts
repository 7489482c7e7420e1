/**
 * The Huffman code of HPACK (RFC 7541 §5.2, appendix B), decoded four bits at a time.
 *
 * The code is canonical: sorted by (length, symbol) the codes are consecutive numbers, so the
 * lengths are all there is to store.
 */

/** Code length in bits of each byte value, and of the end of a string. */
// biome-ignore format: a table reads better in rows of sixteen
export const CODE_BITS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30, // 256: end of string
];

const END_OF_STRING = 256;
const ROOT = 0;

/**
 * A step: bits 0-8 the symbol + 1 (0: none), bits 9-17 the next state. Worked out when first
 * taken, since all of them take as long as a short program's whole run; 0 for not yet.
 */
const FAILED = -1;
const STEPS = new Int32Array(257 * 16);
/** States in which a string may end: less than eight 1 bits since the last symbol. */
const MAY_END = new Uint8Array(257).fill(1, ROOT, ROOT + 1);

let tree: readonly number[] | undefined;

function findStep(at: number): number {
  tree ??= buildTree();
  return (STEPS[at] = walk(tree, at >>> 4, at & 15));
}

/** A binary tree: `tree[2 * node + bit]` is a node, or `~symbol`. */
function buildTree(): number[] {
  const symbols = CODE_BITS.map((_, symbol) => symbol);
  symbols.sort((a, b) => CODE_BITS[a]! - CODE_BITS[b]! || a - b);
  const tree = [0, 0];
  let code = 0;
  let bits = 0;
  for (const symbol of symbols) {
    code <<= CODE_BITS[symbol]! - bits;
    bits = CODE_BITS[symbol]!;
    insert(tree, symbol, code, bits);
    code++;
  }
  for (let ones = 0, node = ROOT; ones < 8; ones++) {
    MAY_END[node] = 1;
    node = tree[2 * node + 1]!;
  }
  return tree;
}

function insert(tree: number[], symbol: number, code: number, bits: number): void {
  let node = ROOT;
  for (let i = bits - 1; i > 0; i--) {
    const edge = 2 * node + ((code >>> i) & 1);
    if (tree[edge] === 0) {
      tree[edge] = tree.length / 2;
      tree.push(0, 0);
    }
    node = tree[edge]!;
  }
  tree[2 * node + (code & 1)] = ~symbol;
}

function walk(tree: readonly number[], state: number, nibble: number): number {
  let node = state;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = tree[2 * node + ((nibble >>> bit) & 1)]!;
    if (next === ~END_OF_STRING) return FAILED;
    if (next < 0) emitted = ~next + 1;
    node = next < 0 ? ROOT : next;
  }
  return emitted | (node << 9);
}

/**
 * Decodes `source[start, end)` into `target` from 0 on, which must hold 8/5 of the source.
 * Returns the decoded length, or -1 when the code or its padding is wrong.
 */
export function huffmanDecode(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
): number {
  let state = ROOT;
  let length = 0;
  for (let i = start; i < end; i++) {
    const byte = source[i]!;
    const first = state * 16 + (byte >>> 4);
    const high = STEPS[first] || findStep(first);
    if (high === FAILED) return -1;
    if ((high & 0x1ff) !== 0) target[length++] = (high & 0x1ff) - 1;
    const second = (high >>> 9) * 16 + (byte & 15);
    const low = STEPS[second] || findStep(second);
    if (low === FAILED) return -1;
    if ((low & 0x1ff) !== 0) target[length++] = (low & 0x1ff) - 1;
    state = low >>> 9;
  }
  return MAY_END[state] === 1 ? length : -1;
}

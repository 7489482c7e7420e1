/** Random parts of requests, from spaces small enough that requests meet. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Prng } from "../../src/base/index.ts";
import type {
  Compare_CompareResult,
  Compare_CompareTarget,
  CompareSchema,
  DeleteRangeRequestSchema,
  PutRequestSchema,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  RangeRequestSchema,
  RequestOpSchema,
  TxnRequestSchema,
} from "../lib/api.ts";
import type { Model } from "./model.ts";
import { bytesText } from "./plain.ts";

const MAX_INT64 = 0x7fff_ffff_ffff_ffffn;
const MIN_INT64 = -MAX_INT64 - 1n;
/** Numbers at the borders of what 64 bits, or a JavaScript number, can hold. */
const EXTREMES = [-1n, MIN_INT64, MAX_INT64, MAX_INT64 - 1n, 2n ** 53n + 1n, 2n ** 32n, 1n];
const bytes = (text: string) => Buffer.from(text, "latin1");

/** Prefixes of each other, neighbours, the smallest, the largest, and one that is long. */
const KEYS: readonly Uint8Array[] = "a aa ab a/ a/1 a/2 a/3 b b/ b/1 c k/1 k/2 k/3 k/4 k/5 k/6 z"
  .split(" ")
  .concat("\0", "\0\0", "a\0", "z\xff", "\xff", "\xff\xff", "long/".repeat(60))
  .map(bytes);

const VALUES: readonly Uint8Array[] = "0 1 2 value"
  .split(" ")
  .concat("", "\0\xff", "x".repeat(200), "y".repeat(3_000))
  .map(bytes);

/** Draws requests; what it draws depends on the numbers and on what the model knows. */
export class Draw {
  readonly #prng: Prng;
  readonly #model: Model;
  /** Keys to draw from. A transaction may keep to a few, so that its operations meet. */
  #keys = KEYS;
  /** Inside a transaction etcd 3.7.3 dies of one mixture, so each has only one of the two. */
  #mixture: "anything" | "no ignored fields" | "no open ends" = "anything";

  constructor(prng: Prng, model: Model) {
    this.#prng = prng;
    this.#model = model;
  }

  /** One of the choices, each as likely as its weight says. */
  weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T {
    let left = this.#prng.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, choice] of choices) {
      left -= weight;
      if (left < 0) return choice;
    }
    return choices[0]![1];
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.#prng.below(choices.length)]!;
  }

  percent(chance: number): boolean {
    return this.#prng.below(100) < chance;
  }

  below(bound: number): number {
    return this.#prng.below(bound);
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#prng.below(256));
  }

  key(): Uint8Array {
    return this.percent(1) ? new Uint8Array(0) : this.pick(this.#keys);
  }

  value(): Uint8Array {
    if (this.percent(20)) return bytes(`v${this.#prng.below(1_000_000)}`);
    return this.pick(VALUES);
  }

  /** The end of a range: none, all from the key on, a prefix, or wherever it falls. */
  rangeEnd(key: Uint8Array): Uint8Array {
    return this.weighted<() => Uint8Array>([
      [35, () => new Uint8Array(0)],
      [25, () => prefixEnd(key)],
      [12, () => Uint8Array.of(0)],
      [20, () => this.pick(this.#keys)],
      [4, () => key],
      [4, () => Buffer.concat([key, Uint8Array.of(0)])],
    ])();
  }

  /** A revision to read at: mostly none or recent, now and then compacted, future or absurd. */
  revision(): bigint {
    const { revision, compacted } = this.#model;
    return this.weighted<() => bigint>([
      [55, () => 0n],
      [20, () => BigInt(Math.max(1, revision - this.below(30)))],
      [8, () => BigInt(compacted + this.below(Math.max(1, revision - compacted)))],
      [4, () => BigInt(revision)],
      [3, () => BigInt(compacted)],
      [3, () => BigInt(compacted - 1)],
      [3, () => BigInt(revision + 1)],
      [1, () => 1n],
      [2, () => this.extreme()],
    ])();
  }

  extreme(): bigint {
    return this.pick(EXTREMES);
  }

  lease(): bigint {
    return this.pick([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, -5n, MAX_INT64, MIN_INT64, 2n ** 53n + 1n]);
  }

  range(): MessageInitShape<typeof RangeRequestSchema> {
    const key = this.key();
    const bound = () => (this.percent(8) ? this.revision() : 0n);
    const sorted = this.percent(40);
    return {
      key,
      rangeEnd: this.rangeEnd(key),
      limit: this.percent(60) ? 0n : this.pick([1n, 2n, 3n, 5n, 10n, 1_000n, this.extreme()]),
      revision: this.revision(),
      sortOrder: sorted ? this.weighted(enumValues<RangeRequest_SortOrder>([0, 1, 2], 7)) : 0,
      sortTarget: sorted
        ? this.weighted(enumValues<RangeRequest_SortTarget>([0, 1, 2, 3, 4], 9))
        : 0,
      serializable: this.percent(25),
      keysOnly: this.percent(15),
      countOnly: this.percent(12),
      minModRevision: bound(),
      maxModRevision: bound(),
      minCreateRevision: bound(),
      maxCreateRevision: bound(),
    };
  }

  put(): MessageInitShape<typeof PutRequestSchema> {
    const mayIgnore = this.#mixture !== "no ignored fields";
    const ignoreValue = this.percent(6) && mayIgnore;
    const ignoreLease = this.percent(6) && mayIgnore;
    const wrong = this.percent(1);
    return {
      key: this.key(),
      value: ignoreValue && !wrong ? new Uint8Array(0) : this.value(),
      lease: (ignoreLease && !wrong) || this.percent(75) ? 0n : this.lease(),
      prevKv: this.percent(30),
      ignoreValue,
      ignoreLease,
    };
  }

  deleteRange(): MessageInitShape<typeof DeleteRangeRequestSchema> {
    const key = this.key();
    const end = this.percent(70) ? new Uint8Array(0) : this.rangeEnd(key);
    const isOpen = end.length === 1 && end[0] === 0;
    const rangeEnd = isOpen && this.#mixture === "no open ends" ? new Uint8Array(0) : end;
    return { key, rangeEnd, prevKv: this.percent(40) };
  }

  /** A comparison, true about half the time; sometimes of a range, a wrong member or no known kind. */
  compare(): MessageInitShape<typeof CompareSchema> {
    const key = this.key();
    const known = this.#model.seen.get(bytesText(key));
    const target = this.weighted(enumValues<Compare_CompareTarget>([0, 1, 2, 3, 4], 9));
    const member = this.percent(8) ? this.below(5) : target;
    const near = (value: bigint | undefined) =>
      this.percent(3) ? this.extreme() : (value ?? 0n) + BigInt(this.below(3) - 1);
    const unions = [
      { case: "version", value: near(known?.version) },
      { case: "createRevision", value: near(known?.createRevision) },
      { case: "modRevision", value: near(known?.modRevision) },
      { case: "value", value: this.percent(50) ? (known?.value ?? bytes("")) : this.value() },
      { case: "lease", value: this.percent(50) ? (known?.lease ?? 0n) : this.lease() },
    ] as const;
    return {
      key,
      result: this.weighted(enumValues<Compare_CompareResult>([0, 1, 2, 3], 6)),
      target,
      targetUnion: this.percent(4) ? { case: undefined } : (unions[member] ?? { case: undefined }),
      rangeEnd: this.percent(75) ? new Uint8Array(0) : this.rangeEnd(key),
    };
  }

  /**
   * A delete from a key to the end, then a put into what it deleted that keeps the old value or
   * lease: etcd's check of overlaps takes the open end for an empty range, and its server panics.
   */
  txn(): MessageInitShape<typeof TxnRequestSchema> {
    this.#mixture = this.pick(["no ignored fields", "no open ends"]);
    if (this.percent(40)) this.#keys = [this.pick(KEYS), this.pick(KEYS), this.pick(KEYS)];
    const txn = this.#txn(0);
    this.#mixture = "anything";
    this.#keys = KEYS;
    return txn;
  }

  /**
   * Deletes everything from a key on, and puts some of it again under a lease: in one revision the
   * key leaves one lease and joins another, whichever comes first.
   */
  leaseTxn(): MessageInitShape<typeof TxnRequestSchema> {
    const key = this.pick(KEYS);
    const open = { key, rangeEnd: Uint8Array.of(0), prevKv: this.percent(30) };
    const puts = Array.from({ length: 1 + this.below(3) }, () => ({
      request: {
        case: "requestPut" as const,
        value: { key: this.pick(KEYS), value: this.value(), lease: this.lease() },
      },
    }));
    const remove = { request: { case: "requestDeleteRange" as const, value: open } };
    const read = { key, rangeEnd: Uint8Array.of(0), keysOnly: this.percent(50) };
    const range = { request: { case: "requestRange" as const, value: read } };
    const ops = puts.toSpliced(this.below(puts.length + 1), 0, remove as never);
    return { success: [...ops, range], failure: [] };
  }

  #txn(depth: number): MessageInitShape<typeof TxnRequestSchema> {
    const ops = () =>
      Array.from({ length: this.pick([0, 1, 1, 2, 2, 3, 5]) }, () => this.#op(depth));
    return {
      compare: Array.from({ length: this.pick([0, 1, 1, 2]) }, () => this.compare()),
      success: ops(),
      failure: ops(),
    };
  }

  #op(depth: number): MessageInitShape<typeof RequestOpSchema> {
    type Op = MessageInitShape<typeof RequestOpSchema>;
    return this.weighted<() => Op>([
      [35, () => ({ request: { case: "requestPut", value: this.put() } })],
      [25, () => ({ request: { case: "requestRange", value: this.range() } })],
      [18, () => ({ request: { case: "requestDeleteRange", value: this.deleteRange() } })],
      [
        depth < 3 ? 12 : 0,
        () => ({ request: { case: "requestTxn", value: this.#txn(depth + 1) } }),
      ],
      [1, () => ({ request: { case: undefined } })],
    ])();
  }
}

/** Known numbers of an enum, and rarely one that nobody knows. */
function enumValues<T extends number>(known: readonly T[], unknown: number): [number, T][] {
  return [...known.map((value): [number, T] => [20, value]), [1, unknown as T]];
}

/** The smallest key above all keys with this prefix; "\0", meaning no end, where there is none. */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  for (let i = prefix.length - 1; i >= 0; i--) {
    if (prefix[i] === 0xff) continue;
    const end = Uint8Array.from(prefix.subarray(0, i + 1));
    end[i]! += 1;
    return end;
  }
  return Uint8Array.of(0);
}

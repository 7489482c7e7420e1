import { bytesToKey, compareBytes, copyBytes } from "../base/index.ts";
import { IntervalTree } from "./interval-tree.ts";
import type { Backlog } from "./watch-backlog.ts";
import type { Watcher } from "./watcher.ts";

/** The keys that a watcher hears of. */
export type WatchRange =
  | { readonly kind: "key"; readonly key: Uint8Array }
  /** The keys in `[from, to)`; all keys `>= from` without `to`. */
  | { readonly kind: "span"; readonly from: Uint8Array; readonly to: Uint8Array | undefined };

/**
 * The range of a request, on bytes of its own; undefined when it holds no key. No `rangeEnd` means
 * one key, and a `rangeEnd` of one zero byte all keys from `key` on.
 */
export function watchRange(key: Uint8Array, rangeEnd: Uint8Array): WatchRange | undefined {
  const from = copyBytes(key);
  if (rangeEnd.length === 0) return { kind: "key", key: from };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { kind: "span", from, to: undefined };
  if (compareBytes(from, rangeEnd) >= 0) return undefined;
  return { kind: "span", from, to: copyBytes(rangeEnd) };
}

/** All watchers of one range: what one of them gets, the others get too. */
export class Audience {
  readonly range: WatchRange;
  readonly watchers = new Set<Watcher>();
  /** How many of them want the pair before each change. */
  wantingPrevious = 0;
  /** What they are being told, one after the other, and what gathers meanwhile. */
  telling: Backlog | undefined;
  gathering: Backlog | undefined;

  constructor(range: WatchRange) {
    this.range = range;
  }

  /** The first revision that not all of them have been told, if there is one. */
  get owedFrom(): number | undefined {
    return (this.telling ?? this.gathering)?.first;
  }
}

/** Watchers by what they watch: single keys in a hash map, spans in an interval tree. */
export class WatcherIndex {
  readonly #keys = new Map<string, Audience>();
  readonly #spans = new IntervalTree<Audience>();
  readonly #found: Audience[] = [];
  readonly #collect = (audience: Audience) => this.#found.push(audience);
  #size = 0;

  /** Number of watchers. */
  get size(): number {
    return this.#size;
  }

  /** Adds a watcher that is not in the index; returns the audience that it joined. */
  add(watcher: Watcher): Audience {
    let audience = this.#find(watcher.range);
    if (audience === undefined) {
      audience = new Audience(watcher.range);
      this.#insert(audience);
    }
    audience.watchers.add(watcher);
    if (watcher.wantsPrevious) audience.wantingPrevious++;
    this.#size++;
    return audience;
  }

  /** Takes out a watcher that is in the index. */
  remove(watcher: Watcher): void {
    const audience = this.#find(watcher.range)!;
    audience.watchers.delete(watcher);
    if (watcher.wantsPrevious) audience.wantingPrevious--;
    this.#size--;
    if (audience.watchers.size === 0) this.#drop(audience.range);
  }

  /** The audiences of `key`, in an array that the next call fills anew. */
  match(key: Uint8Array): readonly Audience[] {
    const found = this.#found;
    found.length = 0;
    if (this.#keys.size > 0) {
      const audience = this.#keys.get(bytesToKey(key));
      if (audience !== undefined) found.push(audience);
    }
    this.#spans.stab(key, this.#collect);
    return found;
  }

  /** All audiences, as they are now. */
  audiences(): Audience[] {
    return [...this.#keys.values(), ...this.#spans.values()];
  }

  /** The audience of a watcher that is in the index. */
  audienceOf(watcher: Watcher): Audience {
    return this.#find(watcher.range)!;
  }

  #find(range: WatchRange): Audience | undefined {
    return range.kind === "key"
      ? this.#keys.get(bytesToKey(range.key))
      : this.#spans.find(range.from, range.to);
  }

  #insert(audience: Audience): void {
    const { range } = audience;
    if (range.kind === "key") this.#keys.set(bytesToKey(range.key), audience);
    else this.#spans.insert(range.from, range.to, audience);
  }

  #drop(range: WatchRange): void {
    if (range.kind === "key") this.#keys.delete(bytesToKey(range.key));
    else this.#spans.remove(range.from, range.to);
  }
}

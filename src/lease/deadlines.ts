/** What a queue of deadlines holds: `at` and `place` belong to the queue. */
export interface Timed {
  /** Milliseconds of the clock that the queue goes by. */
  at: number;
  /** Where it stands in the queue; -1 when it is not there. */
  place: number;
}

/** A binary heap of deadlines, the next one first, from which any item can be taken out. */
export class Deadlines<T extends Timed> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The item whose deadline is next. */
  get next(): T | undefined {
    return this.#items[0];
  }

  /** Puts an item in, or moves one that is there to its new deadline. */
  set(item: T, at: number): void {
    const place = item.place < 0 ? this.#items.length : item.place;
    const isLater = item.place >= 0 && at > item.at;
    item.at = at;
    if (isLater) this.#sink(item, place);
    else this.#rise(item, place);
  }

  delete(item: T): void {
    const { place } = item;
    if (place < 0) return;
    item.place = -1;
    const last = this.#items.pop()!;
    if (last === item) return;
    if (last.at < item.at) this.#rise(last, place);
    else this.#sink(last, place);
  }

  clear(): void {
    for (const item of this.#items) item.place = -1;
    this.#items.length = 0;
  }

  #rise(item: T, from: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >>> 1;
      if (this.#items[parent]!.at <= item.at) break;
      this.#put(this.#items[parent]!, place);
      place = parent;
    }
    this.#put(item, place);
  }

  #sink(item: T, from: number): void {
    const { length } = this.#items;
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= length) break;
      if (child + 1 < length && this.#items[child + 1]!.at < this.#items[child]!.at) child++;
      if (this.#items[child]!.at >= item.at) break;
      this.#put(this.#items[child]!, place);
      place = child;
    }
    this.#put(item, place);
  }

  #put(item: T, place: number): void {
    this.#items[place] = item;
    item.place = place;
  }
}

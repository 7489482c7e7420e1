/** Slots of the wheel and the time each stands for: one round is about 16 s. */
const SLOTS = 1024;
const SLOT_MS = 16;

/** Something that ends at a time unless it is removed before. */
export abstract class Expiring {
  /** In the clock of the caller; undefined for never. */
  deadlineMs: number | undefined = undefined;
  /** Neighbours in a slot of the wheel; its own while in none. */
  next: Expiring = this;
  previous: Expiring = this;

  abstract expired(): void;
}

class Slot extends Expiring {
  override expired(): void {}
}

/**
 * A hashed timer wheel: adding and removing cost the same few steps however many calls there are,
 * and finished calls are not kept until their time.
 */
export class Deadlines {
  readonly #slots: readonly Slot[] = Array.from({ length: SLOTS }, () => new Slot());
  #size = 0;
  /** Slots up to here have been looked through. */
  #seen: number;

  constructor(nowMs: number) {
    this.#seen = Math.floor(nowMs / SLOT_MS);
  }

  get size(): number {
    return this.#size;
  }

  /** `item.deadlineMs` must be set. */
  add(item: Expiring): void {
    // One later than the time itself, so that whatever is found in a slot of this round is due.
    const tick = Math.max(Math.floor(item.deadlineMs! / SLOT_MS), this.#seen) + 1;
    const slot = this.#slots[tick % SLOTS]!;
    item.previous = slot.previous;
    item.next = slot;
    slot.previous.next = item;
    slot.previous = item;
    this.#size++;
  }

  /** Does nothing when the item is not in the wheel. */
  remove(item: Expiring): void {
    if (item.next === item) return;
    item.previous.next = item.next;
    item.next.previous = item.previous;
    item.next = item;
    item.previous = item;
    this.#size--;
  }

  /** Expires what is due. Call every few tens of milliseconds. */
  expire(nowMs: number): void {
    const tick = Math.floor(nowMs / SLOT_MS);
    const from = Math.max(this.#seen + 1, tick - SLOTS + 1);
    for (let i = from; i <= tick && this.#size > 0; i++) this.#expireSlot(i % SLOTS, nowMs);
    this.#seen = Math.max(this.#seen, tick);
  }

  #expireSlot(index: number, nowMs: number): void {
    const slot = this.#slots[index]!;
    const due: Expiring[] = [];
    for (let item = slot.next; item !== slot; item = item.next) {
      if (item.deadlineMs! <= nowMs) due.push(item);
    }
    for (const item of due) {
      this.remove(item);
      item.expired();
    }
  }
}

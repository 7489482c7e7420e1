import { Heap } from "../../../src/base/index.ts";

interface Event {
  readonly at: number;
  /** Events of one moment happen in the order in which they were asked for. */
  readonly order: number;
  readonly work: () => void;
}

/** The one time of a world. It passes only when everything that can happen now has happened. */
export class Clock {
  #now = 0;
  #asked = 0;
  readonly #events = new Heap<Event>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));

  /** Milliseconds since the world began. */
  get now(): number {
    return this.#now;
  }

  at(time: number, work: () => void): void {
    this.#events.push({ at: Math.max(time, this.#now), order: this.#asked++, work });
  }

  after(ms: number, work: () => void): void {
    this.at(this.#now + ms, work);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Lets things happen until it is over. Throws when nothing happens any more. */
  async runUntil(isOver: () => boolean): Promise<void> {
    for (;;) {
      // Comes when all promises have settled that can.
      await new Promise<void>((resolve) => process.nextTick(resolve));
      if (isOver()) return;
      const event = this.#events.pop();
      if (event === undefined) throw new Error("nothing happens any more");
      this.#now = event.at;
      event.work();
    }
  }
}

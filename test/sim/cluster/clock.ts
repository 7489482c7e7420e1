import { allSettled, EventQueue } from "../event-queue.ts";

/** The one time of a world. It passes only when everything that can happen now has happened. */
export class Clock {
  #now = 0;
  readonly #events = new EventQueue();

  /** Milliseconds since the world began. */
  get now(): number {
    return this.#now;
  }

  at(time: number, work: () => void): void {
    this.#events.add(Math.max(time, this.#now), work);
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
      await allSettled();
      if (isOver()) return;
      const event = this.#events.take();
      if (event === undefined) throw new Error("nothing happens any more");
      this.#now = event.at;
      event.work();
    }
  }
}

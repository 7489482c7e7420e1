import { Heap } from "../../src/base/index.ts";

export interface Event {
  readonly at: number;
  /** Events of one moment happen in the order in which they were asked for. */
  readonly order: number;
  readonly work: () => void;
}

/** What is to happen, each at its moment of simulated time. */
export class EventQueue {
  #asked = 0;
  readonly #events = new Heap<Event>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));

  add(at: number, work: () => void): void {
    this.#events.push({ at, order: this.#asked++, work });
  }

  /** Takes what comes first. Ask when all else has happened: see `allSettled`. */
  take(): Event | undefined {
    return this.#events.pop();
  }
}

/** Comes when all promises have settled that can. */
export function allSettled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

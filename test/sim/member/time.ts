import { Prng } from "../../../src/base/index.ts";
import type { TimePort } from "../../../src/member/index.ts";
import { allSettled, type Event, EventQueue } from "../event-queue.ts";

/** Milliseconds after which work that has not ended never will. */
const PATIENCE_MS = 120_000;
/** Turns of the real event loop for those who wait for one, when nothing else is to be done. */
const IDLE_TURNS_MAX = 10_000;

/** Time that passes only when everything that can happen now has happened. */
export class SimTime implements TimePort {
  #now = 0;
  readonly #random: Prng;
  readonly #events = new EventQueue();

  constructor(seed: number) {
    this.#random = new Prng(seed);
  }

  now(): number {
    return this.#now;
  }

  /** Now and then, wherever it is asked. */
  turnIsSpent(): boolean {
    return this.#random.oneIn(6);
  }

  nextTurn(): Promise<void> {
    return this.sleep(0);
  }

  soon(work: () => void): void {
    this.#after(0, work);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#after(ms, resolve));
  }

  /** Something takes so long that nothing else can happen meanwhile. */
  pass(ms: number): void {
    this.#now += ms;
  }

  /** How long a file call takes: mostly little, at times so long that much happens meanwhile. */
  callMs(): number {
    const ms = this.#random.below(1000) / 2000;
    return this.#random.oneIn(12) ? 40 * ms : ms;
  }

  /** Lets time pass until `work` has ended. */
  async run<T>(work: Promise<T>): Promise<T> {
    let ended = false;
    const end = () => {
      ended = true;
    };
    work.then(end, end);
    for (let idleTurns = 0; ; ) {
      await allSettled();
      if (ended) return work;
      const event = this.#events.take();
      if (event === undefined ? ++idleTurns > IDLE_TURNS_MAX : event.at > PATIENCE_MS) {
        throw new Error("nothing happens any more");
      }
      if (event === undefined) await new Promise((resolve) => setImmediate(resolve));
      else this.#happen(event);
    }
  }

  #happen({ at, work }: Event): void {
    this.#now = Math.max(this.#now, at);
    work();
  }

  #after(ms: number, work: () => void): void {
    this.#events.add(this.#now + ms, work);
  }
}

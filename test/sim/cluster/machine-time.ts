import { Prng } from "../../../src/base/index.ts";
import type { TimePort } from "../../../src/member/index.ts";
import type { DiskTime } from "../disk-calls.ts";
import type { Clock } from "./clock.ts";

/** The clock of a machine, which may be fast or slow, and stand still with all that runs there. */
export class MachineClock {
  readonly clock: Clock;
  #rate = 1;
  /** What it showed at a moment of the world's time. */
  #shown = 0;
  #shownAt = 0;
  /** Until then nothing happens on this machine. */
  #frozenUntil = 0;
  /** What is to happen then, in order. */
  readonly #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Machine milliseconds. Within a turn that takes time, the time it is by then. */
  now(): number {
    return this.#shown + (this.#present - this.#shownAt) * this.#rate;
  }

  get #present(): number {
    return Math.max(this.clock.now, this.#frozenUntil);
  }

  setRate(rate: number): void {
    this.#shown = this.now();
    this.#shownAt = this.#present;
    this.#rate = rate;
  }

  /** Nothing runs here for so long. The clock goes on, or stands still as that of a guest does. */
  freeze(ms: number, clock: "goes" | "stands"): void {
    const shown = this.now();
    this.#frozenUntil = Math.max(this.#frozenUntil, this.clock.now + ms);
    if (clock === "goes") return;
    this.#shown = shown;
    this.#shownAt = this.#frozenUntil;
  }

  /** A turn takes time in which nothing else happens here. */
  pass(ms: number): void {
    this.#frozenUntil = this.#present + ms;
  }

  /** Calls after machine milliseconds, or when the machine goes on. */
  after(ms: number, work: () => void): void {
    this.clock.at(this.#present + Math.max(0, ms) / this.#rate, () => this.run(work));
  }

  /** Calls now, or when the machine goes on. */
  run(work: () => void): void {
    if (this.#waiting.length === 0 && this.clock.now >= this.#frozenUntil) return work();
    if (this.#waiting.push(work) === 1) this.clock.at(this.#frozenUntil, () => this.#goOn());
  }

  #goOn(): void {
    if (this.clock.now < this.#frozenUntil) {
      this.clock.at(this.#frozenUntil, () => this.#goOn());
      return;
    }
    const work = this.#waiting.shift();
    if (work === undefined) return;
    work();
    // One by one, so that each has what it began settle before the next, which it may hold up.
    if (this.#waiting.length > 0) this.clock.at(this.clock.now, () => this.#goOn());
  }
}

/** The time of one life of a process. When that is over, nothing it has asked for happens. */
export class LifeTime implements TimePort, DiskTime {
  readonly #machine: MachineClock;
  readonly #random: Prng;
  readonly #origin: number;
  isOver = false;
  /** How much longer file calls take than usual. */
  diskFactor = 1;

  constructor(machine: MachineClock, seed: number) {
    this.#machine = machine;
    this.#random = new Prng(seed);
    // A process counts from some moment of its own.
    this.#origin = machine.now() - this.#random.below(1_000_000);
  }

  now(): number {
    return this.#machine.now() - this.#origin;
  }

  /** Now and then, wherever it is asked. */
  turnIsSpent(): boolean {
    return this.#random.oneIn(6);
  }

  nextTurn(): Promise<void> {
    return this.sleep(this.#random.oneIn(4) ? this.#random.below(8) : 0);
  }

  soon(work: () => void): void {
    this.after(0, work);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  after(ms: number, work: () => void): void {
    this.#machine.after(ms, () => this.#live(work));
  }

  /** What comes from outside: it waits while the machine stands still. */
  arrive(work: () => void): void {
    this.#machine.run(() => this.#live(work));
  }

  pass(ms: number): void {
    this.#machine.pass(ms);
  }

  /** Mostly little, at times so long that much happens meanwhile. */
  callMs(): number {
    const ms = this.#random.below(1000) / 2000;
    return (this.#random.oneIn(20) ? 40 * ms : ms) * this.diskFactor;
  }

  #live(work: () => void): void {
    if (!this.isOver) work();
  }
}

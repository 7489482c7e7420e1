import type { TimePort } from "./ports.ts";

export interface BeatsOptions {
  readonly time: TimePort;
  readonly isStopped: () => boolean;
  readonly spawn: (work: Promise<unknown>) => void;
}

/**
 * What a member repeats, each at its interval, until it stops. What has the same interval shares a
 * timer: it wakes an idle member once.
 */
export class Beats {
  readonly #options: BeatsOptions;
  /** By their interval in milliseconds. */
  readonly #works = new Map<number, (() => void)[]>();

  constructor(options: BeatsOptions) {
    this.#options = options;
  }

  every(ms: number, work: () => void): void {
    const works = this.#works.get(ms);
    if (works !== undefined) {
      works.push(work);
      return;
    }
    this.#works.set(ms, [work]);
    this.#options.spawn(this.#repeat(ms));
  }

  async #repeat(ms: number): Promise<void> {
    const { time, isStopped } = this.#options;
    while (!isStopped()) {
      await time.sleep(ms);
      for (const work of this.#works.get(ms)!) if (!isStopped()) work();
    }
  }
}

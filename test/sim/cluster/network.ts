import { Prng } from "../../../src/base/index.ts";
import type { Clock } from "./clock.ts";

/** How the network is, all over. */
export interface Weather {
  /** Messages between members that are lost, or arrive twice, of a thousand. */
  readonly lostPerMille: number;
  readonly doubledPerMille: number;
  readonly delayMs: readonly [least: number, most: number];
  /** One in so many takes ten times as long. */
  readonly lateOneIn: number;
  /** Whether messages to the same receiver keep their order. */
  readonly isOrdered: boolean;
  /** Connections of clients that break, of a thousand messages. */
  readonly brokenPerMille: number;
}

export const FAIR: Weather = {
  lostPerMille: 0,
  doubledPerMille: 0,
  delayMs: [0.2, 1],
  lateOneIn: 50,
  isOrdered: true,
  brokenPerMille: 0,
};

/** Ways between members and clients, each a name; every direction is cut by itself. */
export class Network {
  weather: Weather = FAIR;
  readonly #clock: Clock;
  readonly #random: Prng;
  /** How often each direction is cut, and when it was mended last. */
  readonly #cuts = new Map<string, number>();
  readonly #mendedAt = new Map<string, number>();
  readonly #lastArrival = new Map<string, number>();
  /** Told when a direction was cut. */
  readonly #onCut: (from: string, to: string) => void;

  constructor(clock: Clock, seed: number, onCut: (from: string, to: string) => void = () => {}) {
    this.#clock = clock;
    this.#random = new Prng(seed);
    this.#onCut = onCut;
  }

  /** Cuts nest: a direction is open again when each cut was mended. */
  cut(from: string, to: string): void {
    const way = `${from}>${to}`;
    this.#cuts.set(way, (this.#cuts.get(way) ?? 0) + 1);
    this.#onCut(from, to);
  }

  mend(from: string, to: string): void {
    const way = `${from}>${to}`;
    const left = (this.#cuts.get(way) ?? 0) - 1;
    if (left > 0) {
      this.#cuts.set(way, left);
      return;
    }
    this.#cuts.delete(way);
    this.#mendedAt.set(way, this.#clock.now);
  }

  mendAll(): void {
    for (const way of this.#cuts.keys()) this.#mendedAt.set(way, this.#clock.now);
    this.#cuts.clear();
  }

  isOpen(from: string, to: string): boolean {
    return !this.#cuts.has(`${from}>${to}`);
  }

  /** Since when there has been a way in both directions; undefined: there is none. */
  openSince(a: string, b: string): number | undefined {
    if (!this.isOpen(a, b) || !this.isOpen(b, a)) return undefined;
    const mended = (way: string) => this.#mendedAt.get(way) ?? 0;
    return Math.max(mended(`${a}>${b}`), mended(`${b}>${a}`));
  }

  /** After how many milliseconds copies of a message between members arrive; none: it is lost. */
  arrivals(from: string, to: string, mayDouble: boolean): number[] {
    if (!this.isOpen(from, to) || this.#happens(this.weather.lostPerMille)) return [];
    const first = this.#inOrder(from, to, this.delay());
    if (!mayDouble || !this.#happens(this.weather.doubledPerMille)) return [first];
    return [first, first + 5 * this.delay()];
  }

  /** Whether a connection breaks just now. */
  breaks(from: string, to: string): boolean {
    return !this.isOpen(from, to) || this.#happens(this.weather.brokenPerMille);
  }

  delay(): number {
    const [least, most] = this.weather.delayMs;
    const ms = least + ((most - least) * this.#random.below(1000)) / 1000;
    return this.#random.oneIn(this.weather.lateOneIn) ? 10 * ms : ms;
  }

  #inOrder(from: string, to: string, delay: number): number {
    if (!this.weather.isOrdered) return delay;
    const way = `${from}>${to}`;
    const arrival = Math.max(this.#lastArrival.get(way) ?? 0, this.#clock.now + delay);
    this.#lastArrival.set(way, arrival);
    return arrival - this.#clock.now;
  }

  #happens(perMille: number): boolean {
    return perMille > 0 && this.#random.below(1000) < perMille;
  }
}

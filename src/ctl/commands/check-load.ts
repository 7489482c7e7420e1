import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, describeError, kv } from "../../client/index.ts";

/** Of a key, what is drawn by lot; the rest is zeros. */
const RANDOM_BYTES = 10;

/** What came of many writes. Times are in seconds. */
export class LoadReport {
  /** How often writes failed, by the reason. */
  readonly errors = new Map<string, number>();
  readonly #seconds: number[] = [];
  readonly #started = performance.now();
  #total = 0;

  succeeded(ms: number): void {
    this.#seconds.push(ms / 1000);
  }

  failed(reason: string): void {
    this.errors.set(reason, (this.errors.get(reason) ?? 0) + 1);
  }

  errorLines(): string[] {
    if (this.errors.size === 0) return [];
    const lines = [...this.errors].map(([reason, count]) => `FAIL: ERROR(${reason}) -> ${count}`);
    return ["FAIL: too many errors", ...lines];
  }

  end(): void {
    this.#total = (performance.now() - this.#started) / 1000;
  }

  get perSecond(): number {
    return this.#seconds.length / this.#total;
  }

  get slowest(): number {
    return this.#seconds.reduce((slowest, seconds) => Math.max(slowest, seconds), 0);
  }

  /** The standard deviation of the times. */
  get deviation(): number {
    const count = this.#seconds.length;
    const average = this.#seconds.reduce((sum, seconds) => sum + seconds, 0) / count;
    const squares = this.#seconds.reduce((sum, seconds) => sum + (seconds - average) ** 2, 0);
    return Math.sqrt(squares / count);
  }
}

export interface Load {
  /** Each writes one key at a time. */
  readonly clients: readonly Client[];
  readonly prefix: Uint8Array;
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** Resolves when the next write may be sent; false when there is none. */
  readonly next: () => Promise<boolean>;
}

/** Writes keys drawn by lot, until no more are wanted. */
export async function write(load: Load): Promise<LoadReport> {
  const report = new LoadReport();
  const value = Buffer.alloc(load.valueBytes);
  await Promise.all(
    load.clients.map(async (client) => {
      while (await load.next()) {
        const started = performance.now();
        try {
          await client.call(kv.put, { key: drawKey(load), value });
          report.succeeded(performance.now() - started);
        } catch (error) {
          report.failed(describeError(error));
        }
      }
    }),
  );
  report.end();
  return report;
}

function drawKey({ prefix, keyBytes }: Load): Uint8Array {
  const key = Buffer.alloc(prefix.length + keyBytes);
  key.set(prefix);
  key.set(randomBytes(RANDOM_BYTES), prefix.length);
  return key;
}

/** So many turns a second, for so long. Turns that nobody was there to take are lost. */
export class Pace {
  readonly #intervalMs: number;
  readonly #started = performance.now();
  readonly #until: number;
  readonly #signal: AbortSignal;
  #next = this.#started;

  constructor(perSecond: number, forMs: number, signal: AbortSignal) {
    this.#intervalMs = 1000 / perSecond;
    this.#until = this.#started + forMs;
    this.#signal = signal;
  }

  get elapsedMs(): number {
    return performance.now() - this.#started;
  }

  /** Resolves at the next turn; false when there is none before the end. */
  async turn(): Promise<boolean> {
    const now = performance.now();
    const at = Math.max(now, this.#next);
    if (at >= this.#until || this.#signal.aborted) return false;
    this.#next = at + this.#intervalMs;
    if (at > now) await sleep(at - now);
    return !this.#signal.aborted;
  }
}

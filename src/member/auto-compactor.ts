import type { Failure } from "../proto/index.ts";
import { fail } from "../proto/index.ts";
import type { LogLines, TextPort } from "./ports.ts";

export type AutoCompactionMode = "periodic" | "revision";

export interface AutoCompactorOptions {
  readonly mode: AutoCompactionMode;
  /** Milliseconds of history to keep, or revisions. */
  readonly retention: number;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly revision: () => number;
  /** Whether this member leads and goes on: others do not compact by themselves. */
  readonly state: () => "leading" | "following" | "stopped";
  /** Resolves to why the compaction was refused, or to undefined. */
  readonly compact: (revision: number) => Promise<Failure | undefined>;
  readonly lines: LogLines;
  readonly text: TextPort;
}

const HOUR_MS = 3_600_000;
/** Looks in a period of up to an hour (etcd: `retryDivisor`). */
const LOOKS_PER_PERIOD = 10;
const REVISION_LOOK_MS = 300_000;

/**
 * Compacts by itself, by etcd's rules (`api/v3compactor`). Periodic: revisions are noted ten times
 * in a period, of an hour at most; after the first whole period, and then once in each, all before
 * the oldest note goes. By revision: every five minutes all but the newest so many go.
 */
export class AutoCompactor {
  readonly #options: AutoCompactorOptions;

  constructor(options: AutoCompactorOptions) {
    this.#options = options;
  }

  run(): Promise<void> {
    return this.#options.mode === "periodic" ? this.#runPeriodic() : this.#runByRevision();
  }

  async #runPeriodic(): Promise<void> {
    const { retention, now, revision } = this.#options;
    const interval = Math.min(retention, HOUR_MS);
    const lookMs = interval / LOOKS_PER_PERIOD;
    const notesMax = Math.floor(retention / lookMs) + 1;
    const notes: number[] = [];
    let last = 0;
    let succeededAt = now();
    // The first time a whole period must have passed.
    let wait = retention;
    for (;;) {
      notes.push(revision());
      if (notes.length > notesMax) notes.shift();
      if (!(await this.#look(lookMs))) return;
      const target = notes[0]!;
      if (!this.#leads || now() - succeededAt < wait || target === last) continue;
      wait = interval;
      if (!(await this.#compact(target, lookMs))) continue;
      last = target;
      succeededAt = now();
    }
  }

  async #runByRevision(): Promise<void> {
    const { retention, revision } = this.#options;
    let last = 0;
    while (await this.#look(REVISION_LOOK_MS)) {
      const target = revision() - retention;
      if (!this.#leads || target <= 0 || target === last) continue;
      if (await this.#compact(target, REVISION_LOOK_MS)) last = target;
    }
  }

  get #leads(): boolean {
    return this.#options.state() === "leading";
  }

  /** Waits for the next look; false when there will be none. */
  async #look(ms: number): Promise<boolean> {
    await this.#options.sleep(ms);
    return this.#options.state() !== "stopped";
  }

  /** Whether all before the revision is, or was already, compacted. */
  async #compact(revision: number, retryMs: number): Promise<boolean> {
    const { mode, retention, now, lines, text, compact } = this.#options;
    const fields =
      mode === "periodic"
        ? { revision, "compact-period": text.duration(retention) }
        : { revision, "revision-compaction-retention": retention };
    lines.info(`starting auto ${mode} compaction`, fields);
    const startedAt = now();
    const failure = await compact(revision);
    if (failure === undefined || failure === fail("compacted")) {
      const took = text.duration(now() - startedAt);
      lines.info(`completed auto ${mode} compaction`, { ...fields, took });
      return true;
    }
    lines.warn(`failed auto ${mode} compaction`, {
      ...fields,
      "retry-interval": text.duration(retryMs),
      error: failure.message,
    });
    return false;
  }
}

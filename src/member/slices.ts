import { PageMiss } from "../bolt/index.ts";
import type { PageFilePort, TimePort } from "./ports.ts";
import { type Job, OwnTurns, SharedTurns } from "./turns.ts";

/** Long work in slices; see `Slices` in mvcc. Other marks than page misses just give way. */
export type AnySlices<T> = Generator<unknown, T, void>;

/** Slices that a PageMiss ends and that can be begun again, to go on from where they were. */
export function* resumable<T>(begin: () => AnySlices<T>): AnySlices<T> {
  for (;;) {
    try {
      return yield* begin();
    } catch (error) {
      if (!(error instanceof PageMiss)) throw error;
      yield error;
    }
  }
}

interface SlicerPorts {
  readonly time: TimePort;
  readonly pageFile: Pick<PageFilePort, "load">;
}

/**
 * Runs sliced work: loads the pages it misses and gives way when the turn is spent. Work that ends
 * in its first slice should be started with `next()` by the caller, who saves a promise.
 */
export class Slicer {
  readonly #time: TimePort;
  readonly #pageFile: Pick<PageFilePort, "load">;
  readonly #turns: { begin(): Job };

  private constructor({ time, pageFile }: SlicerPorts, turns: { begin(): Job }) {
    this.#time = time;
    this.#pageFile = pageFile;
    this.#turns = turns;
  }

  /** For the one who must not wait for others. */
  static alone(ports: SlicerPorts): Slicer {
    return new Slicer(ports, new OwnTurns(ports.time));
  }

  /** For the work of requests, which takes turns. */
  static shared(ports: SlicerPorts): Slicer {
    return new Slicer(ports, new SharedTurns(ports.time));
  }

  async run<T>(slices: AnySlices<T>): Promise<T> {
    return this.resume(slices, slices.next());
  }

  /** Goes on with work whose latest step was `step`. `pausing` is told before each pause. */
  async resume<T>(
    slices: AnySlices<T>,
    step: IteratorResult<unknown, T>,
    pausing?: () => void,
  ): Promise<T> {
    const job = this.#turns.begin();
    try {
      while (!step.done) {
        const miss = step.value instanceof PageMiss ? step.value : undefined;
        if (miss !== undefined || this.#time.turnIsSpent()) await this.#pause(job, miss, pausing);
        step = slices.next();
      }
      return step.value;
    } finally {
      job.end();
    }
  }

  /**
   * Between two slices of work that is in no hurry: loads the page that was missed, or ends the
   * turn, spent or not. A request takes a few turns, so that they had better be short.
   */
  async giveWay(miss: PageMiss | undefined, pausing?: () => void): Promise<void> {
    pausing?.();
    if (miss === undefined) await this.#time.nextTurn();
    else await this.#pageFile.load(miss.page);
  }

  /** Repeats an operation that throws PageMiss before it changes anything. */
  async retry<T>(operation: () => T): Promise<T> {
    for (;;) {
      try {
        return operation();
      } catch (error) {
        if (!(error instanceof PageMiss)) throw error;
        await this.#pageFile.load(error.page);
      }
    }
  }

  async #pause(job: Job, miss: PageMiss | undefined, pausing?: () => void): Promise<void> {
    pausing?.();
    if (miss !== undefined) await this.#pageFile.load(miss.page);
    // Pages of many may arrive in one turn.
    if (miss === undefined || this.#time.turnIsSpent()) await job.next();
  }
}

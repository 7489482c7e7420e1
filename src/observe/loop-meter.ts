import type { PerformanceEntry, PerformanceObserver as Observer } from "node:perf_hooks";
import { Histogram } from "../base/index.ts";

/** Seconds of CPU; the aim for a turn is 5 ms, and 20 ms are a fault. */
const TURN_BOUNDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
const PAUSE_BOUNDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1];

/** The clock of the processor is asked no more often than this. */
const READ_MS = 1;

/** How garbage collections are told apart. */
const KINDS: Readonly<Record<number, string>> = {
  1: "scavenge",
  2: "minor_mark_sweep",
  4: "mark_sweep_compact",
  8: "incremental_marking",
  16: "weak_callbacks",
};

/**
 * How long the event loop was held: the CPU time of the main thread in each of its turns, and the
 * pauses of the garbage collector. CPU time, because on a busy machine wall time measures others.
 */
export class LoopMeter {
  /**
   * Asking for a thread's CPU time is a system call. Turns that follow the last question within a
   * millisecond cannot have taken longer than that; their time is added to that of the turn asked
   * about next. So none is counted below its bucket, and none as more than a millisecond longer.
   */
  readonly turns = new Histogram(TURN_BOUNDS);
  readonly pauses: ReadonlyMap<string, Histogram>;
  #observer: Observer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #readAt = 0;
  #cpuSeconds = 0;
  #isOver = false;

  constructor() {
    this.pauses = new Map(Object.values(KINDS).map((kind) => [kind, new Histogram(PAUSE_BOUNDS)]));
  }

  /** Begins to measure after a while: it loads a part of Node, and who starts has better to do. */
  start(afterMs: number): void {
    this.#timer = setTimeout(() => this.#begin(), afterMs).unref();
  }

  #begin(): void {
    this.#observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) this.#paused(entry);
    });
    this.#observer.observe({ entryTypes: ["gc"] });
    this.#cpuSeconds = cpuSeconds();
    this.#readAt = performance.now();
    this.#next();
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#observer?.disconnect();
  }

  /** One that the loop does not wait for runs once in each turn, and keeps none busy. */
  #next(): void {
    setImmediate(this.#turn).unref();
  }

  readonly #turn = (): void => {
    if (this.#isOver) return;
    const now = performance.now();
    if (now - this.#readAt < READ_MS) this.turns.observe(0);
    else {
      const seconds = cpuSeconds();
      this.turns.observe(seconds - this.#cpuSeconds);
      this.#cpuSeconds = seconds;
      this.#readAt = performance.now();
    }
    this.#next();
  };

  #paused(entry: PerformanceEntry): void {
    const { kind } = (entry as unknown as { detail: { kind: number } }).detail;
    this.pauses.get(KINDS[kind] ?? "")?.observe(entry.duration / 1000);
  }
}

/** Of the main thread where Node can tell, which 22 cannot: of the whole process there. */
function cpuSeconds(): number {
  const { user, system } = (process.threadCpuUsage ?? process.cpuUsage)();
  return (user + system) / 1e6;
}

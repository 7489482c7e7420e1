/** As zap's sampler in etcd: of equal lines in one second the first hundred, then each hundredth. */
const FIRST = 100;
const THEREAFTER = 100;
const TICK_MS = 1_000;

/** Different lines that are counted within a second; beyond it counting begins anew. */
const COUNTERS_MAX = 4_096;

/** Keeps one cause that repeats itself from filling the log. */
export class Sampler {
  readonly #counts = new Map<string, number>();
  #tickEnd = 0;

  /** Whether this line is to be written. */
  admits(level: string, message: string, nowMs = performance.now()): boolean {
    if (nowMs >= this.#tickEnd || this.#counts.size >= COUNTERS_MAX) {
      this.#counts.clear();
      this.#tickEnd = nowMs + TICK_MS;
    }
    const key = `${level} ${message}`;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count <= FIRST || (count - FIRST) % THEREAFTER === 0;
  }
}

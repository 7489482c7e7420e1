/** Upper bounds of `count` buckets, each `factor` times the one before. */
export function exponentialBounds(start: number, factor: number, count: number): number[] {
  const bounds: number[] = [];
  for (let bound = start; bounds.length < count; bound *= factor) bounds.push(bound);
  return bounds;
}

/** How often values fell into buckets, as Prometheus counts them. Cheap enough for hot paths. */
export class Histogram {
  /** Upper bounds, ascending; a value on a bound is below it. */
  readonly bounds: Float64Array;
  /** Values in each bucket; the last one is for those above all bounds. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: Iterable<number>) {
    this.bounds = Float64Array.from(bounds);
    this.counts = new Float64Array(this.bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += value;
  }

  get count(): number {
    let count = 0;
    for (const bucket of this.counts) count += bucket;
    return count;
  }
}

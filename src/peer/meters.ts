import { exponentialBounds, Histogram } from "../base/index.ts";

/** A member, or whatever stands for one: the address of somebody unknown. */
type Who = bigint | string;

const nameOf = (who: Who): string => (typeof who === "bigint" ? who.toString(16) : who);

/** A number for each member. */
export class Tally {
  readonly #counts = new Map<Who, number>();

  add(who: Who, count = 1): void {
    this.#counts.set(who, (this.#counts.get(who) ?? 0) + count);
    if (this.#counts.size > NAMES_MAX) this.#counts.delete(this.#counts.keys().next().value!);
  }

  *[Symbol.iterator](): Generator<[string, number]> {
    for (const [who, count] of this.#counts) yield [nameOf(who), count];
  }
}

/** Names come from outside as well: the oldest is forgotten. */
const NAMES_MAX = 1000;

/** A histogram for each member. */
export class Times {
  readonly #bounds: readonly number[];
  readonly #histograms = new Map<string, Histogram>();

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
  }

  observe(id: bigint, seconds: number): void {
    const name = id.toString(16);
    let histogram = this.#histograms.get(name);
    if (histogram === undefined) {
      if (this.#histograms.size >= NAMES_MAX) return;
      histogram = new Histogram(this.#bounds);
      this.#histograms.set(name, histogram);
    }
    histogram.observe(seconds);
  }

  [Symbol.iterator](): Iterator<[string, Histogram]> {
    return this.#histograms[Symbol.iterator]();
  }
}

const SNAPSHOT_BOUNDS = exponentialBounds(0.1, 2, 10);

/** What etcd's `etcd_network_*` metrics tell, by member. */
export class Meters {
  readonly activePeers = new Tally();
  readonly disconnectedPeers = new Tally();
  readonly sentBytes = new Tally();
  readonly receivedBytes = new Tally();
  readonly sendFailures = new Tally();
  readonly receiveFailures = new Tally();
  readonly snapshotsSent = new Tally();
  readonly snapshotsSending = new Tally();
  readonly snapshotSendFailures = new Tally();
  readonly snapshotSendSeconds = new Times(SNAPSHOT_BOUNDS);
  readonly snapshotsReceived = new Tally();
  readonly snapshotsReceiving = new Tally();
  readonly snapshotReceiveFailures = new Tally();
  readonly snapshotReceiveSeconds = new Times(SNAPSHOT_BOUNDS);
  readonly roundTripSeconds = new Times(exponentialBounds(0.0001, 2, 16));
}

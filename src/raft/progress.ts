import { assert } from "../base/index.ts";
import type { Inflights } from "./inflights.ts";

/**
 * How the leader talks to a follower. Probing: one append at a time, until it is known where the
 * logs meet. Replicating: appends follow one another without waiting. Snapshot: the follower needs
 * entries that the leader no longer has, and nothing is sent until the snapshot went through.
 */
export type ProgressState = "probe" | "replicate" | "snapshot";

/** What the leader knows of one follower's log. Only for progress of the leader's own term. */
export class Progress {
  /** Up to here the logs are known to be equal. */
  match = 0;
  /** The next entry to send; those between `match` and `next` are under way. Above `match`. */
  next: number;
  /** The highest commit index under way to the follower. */
  sentCommit = 0;
  state: ProgressState = "probe";
  /** In state snapshot: the index of the snapshot sent. */
  pendingSnapshot = 0;
  /** Whether the follower was heard of since the last quorum check. Always true for the leader. */
  recentActive = false;
  /** No appends until the next heartbeat is answered. */
  paused = false;
  readonly inflights: Inflights;
  isLearner: boolean;

  constructor(start: { next: number; inflights: Inflights; isLearner: boolean }) {
    this.next = start.next;
    this.inflights = start.inflights;
    this.isLearner = start.isLearner;
  }

  /** A copy that may become a learner or voter without the original; the window stays shared. */
  clone(): Progress {
    const { next, inflights, isLearner } = this;
    return Object.assign(new Progress({ next, inflights, isLearner }), this);
  }

  becomeProbe(): void {
    // A snapshot that went through has brought the follower to its index.
    const known = this.state === "snapshot" ? this.pendingSnapshot : 0;
    this.#reset("probe");
    this.next = Math.max(this.match, known) + 1;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#reset("replicate");
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.#reset("snapshot");
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  #reset(state: ProgressState): void {
    this.paused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.reset();
  }

  /** Notes that `count` entries from `next` on were sent, with `bytes` of data. */
  sentEntries(count: number, bytes: number): void {
    assert(this.state !== "snapshot", "entries sent while a snapshot is under way");
    if (this.state === "probe") {
      if (count > 0) this.paused = true;
      return;
    }
    if (count > 0) {
      this.next += count;
      this.inflights.add(this.next - 1, bytes);
    }
    this.paused = this.inflights.isFull;
  }

  /** Whether a message with this commit index could move the follower's. */
  canBumpCommit(commit: number): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** The follower has everything up to `index`. False when that is no news. */
  maybeUpdate(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.paused = false;
    return true;
  }

  /**
   * The follower refused an append after `rejected` and suggests `hint` as the place where the
   * logs may meet. False when the refusal is stale: an answer to a message sent twice or overtaken.
   */
  maybeDecrease(rejected: number, hint: number): boolean {
    if (this.state === "replicate") {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      // Probes go out one at a time, so only the last one can be refused.
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.paused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }

  /** Whether appends must wait. */
  get isPaused(): boolean {
    return this.paused || this.state === "snapshot";
  }
}

import type { Db } from "../bolt/index.ts";
import { confStateOf } from "../cluster/index.ts";
import type { Message } from "../proto/index.ts";
import { PinnedImage } from "./image.ts";
import type { SnapshotData } from "./log-keeper.ts";
import type { Position } from "./page-keeper.ts";
import type { LogLines, NetworkPort, PageFilePort, TimePort } from "./ports.ts";

/** Entries stay for so long for one that has got its snapshot (etcd: `releaseDelayAfterSnapshot`). */
const HELD_MS = 30_000;

export interface SentSnapshotsOptions {
  readonly db: Db;
  readonly pageFile: PageFilePort;
  readonly network: NetworkPort;
  readonly time: TimePort;
  readonly lines: LogLines;
  readonly snapshotData: SnapshotData;
  /** Resolves when everything applied before the call is in the durable page file. */
  readonly committed: () => Promise<void>;
  /** What that holds. */
  readonly durable: () => Position;
  readonly isStopped: () => boolean;
  /** Raft is told that a snapshot could not be sent, and tries again. */
  readonly failed: (to: bigint) => void;
  readonly spawn: (work: Promise<unknown>) => void;
}

/** A snapshot under way. */
interface Sending {
  readonly index: number;
}

/**
 * Snapshots for members that need entries which the log no longer has: the page file as of its
 * newest commit, sent while everything goes on. One to each member at a time.
 */
export class SentSnapshots {
  readonly #options: SentSnapshotsOptions;
  readonly #held = new Map<bigint, Sending>();

  constructor(options: SentSnapshotsOptions) {
    this.#options = options;
  }

  /** The entries behind this one will be wanted; infinite: there is none such. */
  get heldIndex(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { index } of this.#held.values()) least = Math.min(least, index);
    return least;
  }

  /**
   * Raft wants a member to get a snapshot. It knows of an old one: the page file is ahead of that,
   * and the message is made to say how far.
   */
  send(message: Message): void {
    // Raft goes on behind the snapshot that it knows of, until it hears how far the member is.
    const sending = { index: message.snapshot!.meta.index };
    this.#held.set(message.to, sending);
    this.#options.spawn(this.#send(message, sending));
  }

  async #send(message: Message, sending: Sending): Promise<void> {
    const { db, pageFile, network, snapshotData, committed, isStopped, failed } = this.#options;
    const { to } = message;
    await committed();
    if (isStopped()) return;
    const { index, term, members, version } = this.#options.durable();
    // Whoever is not in the configuration would not take it.
    if (!members.some(({ id }) => id === to)) {
      this.#release(to, sending);
      failed(to);
      return;
    }
    const image = new PinnedImage(db.pin(), pageFile.open()).hold();
    const meta = { index, term, confState: confStateOf(members) };
    const data = snapshotData(members, version);
    network.sendSnapshot({ ...message, snapshot: { meta, data } }, image);
  }

  /** How it went. */
  sent(to: bigint, isOk: boolean): void {
    const sending = this.#held.get(to);
    if (sending === undefined) return;
    if (isOk) void this.#options.time.sleep(HELD_MS).then(() => this.#release(to, sending));
    else this.#release(to, sending);
  }

  #release(to: bigint, sending: Sending): void {
    if (this.#held.get(to) === sending) this.#held.delete(to);
  }
}

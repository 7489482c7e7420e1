import type { State } from "../apply/index.ts";
import { assert } from "../base/index.ts";
import type { Db } from "../bolt/index.ts";
import { type Failure, fail, type HardState, type Message, type Snapshot } from "../proto/index.ts";
import type { MemoryStorage } from "../raft/index.ts";
import type { Applier } from "./applier.ts";
import type { Compactor } from "./compactor.ts";
import type { LogKeeper } from "./log-keeper.ts";
import type { Meters } from "./meters.ts";
import type { PageKeeper } from "./page-keeper.ts";
import type {
  LogLines,
  LogPort,
  PageFilePort,
  ReceivedFile,
  ReceivedPort,
  SnapshotSink,
  Standby,
  TimePort,
} from "./ports.ts";

/** How often it is looked whether the state before is still being read. */
const READ_LOOK_MS = 100;

export interface ReceivedSnapshotsOptions {
  readonly received: ReceivedPort;
  readonly log: LogPort;
  readonly pageFile: PageFilePort;
  readonly time: TimePort;
  readonly lines: LogLines;
  readonly meters: Meters;
  readonly state: State;
  readonly db: Db;
  readonly storage: MemoryStorage;
  readonly pages: PageKeeper;
  readonly compactor: Compactor;
  readonly logKeeper: LogKeeper;
  readonly applier: Applier;
  readonly isStopped: () => boolean;
  /** Gives raft the message; answers whether a Ready will carry its snapshot. */
  readonly step: (message: Message) => boolean;
  /** The state is that of the snapshot. */
  readonly onInstalled: () => void;
  readonly spawn: (work: Promise<unknown>) => void;
}

/**
 * Snapshots from leaders. The page file that arrives is made a state of its own beside the one that
 * serves; only then raft hears of it. When a Ready asks for it, it takes the place of the other: in
 * the log first, with the hard state that commits it, then in the directory, then, in one turn, in
 * memory. After a crash between these, a start goes on from there.
 */
export class ReceivedSnapshots {
  readonly #options: ReceivedSnapshotsOptions;
  /** The newest that arrives. */
  #arriving: Arrival | undefined;
  /** One has arrived, and it is found out whether it is good and raft wants it. */
  #isSettling = false;
  /** What raft has taken, until it is installed. */
  #accepted: { readonly index: number; readonly standby: Standby } | undefined;

  constructor(options: ReceivedSnapshotsOptions) {
    this.#options = options;
  }

  /**
   * A snapshot begins to arrive. It takes the place of one that is on its way: the sender of that
   * may be gone without a word. Refused while there is one that has arrived.
   */
  receive(message: Message): SnapshotSink | Failure {
    const { isStopped, received, time } = this.#options;
    if (isStopped()) return fail("stopped");
    if (this.#isSettling || this.#accepted !== undefined) return fail("tooManyRequests");
    const begun = time.now();
    const arrival: Arrival = new Arrival(received.create(), {
      isWanted: () => this.#arriving === arrival && !isStopped(),
      arrived: (file) => this.#settle(message, file, begun),
    });
    this.#arriving = arrival;
    return arrival;
  }

  async #settle(message: Message, file: ReceivedFile, begun: number): Promise<void> {
    this.#arriving = undefined;
    this.#isSettling = true;
    try {
      await this.#finish(file, message.snapshot!.meta.index, begun);
      await this.#offer(message);
    } finally {
      this.#isSettling = false;
    }
  }

  async #finish(file: ReceivedFile, index: number, begun: number): Promise<void> {
    const { time, meters } = this.#options;
    const arrived = time.now();
    await file.finish(index);
    const now = time.now();
    meters.snapshotDbSync.observe((now - arrived) / 1000);
    meters.snapshotDbSave.observe((now - begun) / 1000);
  }

  /** Offers it to raft. What raft does not take, or is no good, is removed. */
  async #offer(message: Message): Promise<void> {
    const { received, step } = this.#options;
    const { index } = message.snapshot!.meta;
    let standby: Standby | undefined;
    try {
      standby = await received.open(index);
      this.#check(standby.state, index);
      // Before raft can ask for it.
      this.#accepted = { index, standby };
      if (step(message)) return;
    } catch (error) {
      await this.#discard(index, standby);
      throw error;
    }
    await this.#discard(index, standby);
  }

  #check({ storedIndex }: State, index: number): void {
    if (this.#options.isStopped()) throw new Error(fail("stopped").message);
    if (storedIndex >= index) return;
    throw new Error(`the database ends at entry ${storedIndex}, before the snapshot at ${index}`);
  }

  async #discard(index: number, standby: Standby | undefined): Promise<void> {
    this.#accepted = undefined;
    await standby?.close();
    await this.#options.received.discard(index);
  }

  /** A Ready carries the snapshot: makes it durable, and the state it. */
  async install(snapshot: Snapshot, hardState: HardState): Promise<void> {
    const { applier, lines, meters, state } = this.#options;
    const { meta } = snapshot;
    const accepted = this.#accepted;
    assert(accepted?.index === meta.index, "raft asks for the snapshot that it was given");
    const facts = () => ({
      "current-applied-index": state.appliedIndex,
      "incoming-leader-snapshot-index": meta.index,
      "incoming-leader-snapshot-term": meta.term,
    });
    lines.info("applying snapshot", facts());
    meters.snapshotsApplying++;
    await applier.alone(() => this.#install(snapshot, hardState, accepted.standby));
    meters.snapshotsApplying--;
    this.#accepted = undefined;
    lines.info("applied snapshot", facts());
  }

  async #install(snapshot: Snapshot, hardState: HardState, standby: Standby): Promise<void> {
    const { pages, logKeeper, log } = this.#options;
    // Nothing may be under way in the old file, and no older record come behind that of this one.
    await pages.flush();
    await logKeeper.settled();
    await log.installSnapshot(snapshot, hardState);
    await standby.adopt();
    this.#exchange(snapshot, standby);
  }

  /** In one turn, so that nobody sees a part of it. */
  #exchange(snapshot: Snapshot, standby: Standby): void {
    const { state, db, storage, pages, compactor, logKeeper, pageFile } = this.#options;
    const old = pageFile.open();
    standby.use();
    db.become(standby.db);
    const isRead = state.become(standby.state, snapshot.meta);
    pages.restart();
    storage.applySnapshot(snapshot);
    logKeeper.restart(snapshot.meta.index);
    compactor.restart();
    this.#options.onInstalled();
    this.#options.spawn(this.#closeWhen(() => !isRead(), old));
  }

  /** Reads that are under way end in the old file. */
  async #closeWhen(isDone: () => boolean, old: { close(): void }): Promise<void> {
    while (!isDone()) await this.#options.time.sleep(READ_LOOK_MS);
    old.close();
  }

  /** Takes none any more; closes what is not installed. */
  async stop(): Promise<void> {
    this.#arriving = undefined;
    await this.#accepted?.standby.close();
    this.#accepted = undefined;
  }
}

/** A snapshot on its way in. Its sender's bytes come one after the other. */
class Arrival implements SnapshotSink {
  readonly #file: Promise<ReceivedFile>;
  readonly #isWanted: () => boolean;
  readonly #arrived: (file: ReceivedFile) => Promise<void>;

  constructor(
    file: Promise<ReceivedFile>,
    owner: { isWanted: () => boolean; arrived: (file: ReceivedFile) => Promise<void> },
  ) {
    this.#file = file;
    this.#isWanted = owner.isWanted;
    this.#arrived = owner.arrived;
    // Whoever writes or ends hears of it.
    file.catch(() => {});
  }

  async write(bytes: Uint8Array): Promise<void> {
    const file = await this.#wantedFile();
    await file.write(bytes);
  }

  async finish(): Promise<void> {
    await this.#arrived(await this.#wantedFile());
  }

  async #wantedFile(): Promise<ReceivedFile> {
    const file = await this.#file;
    if (!this.#isWanted()) throw new Error("another snapshot arrives, or the member stops");
    return file;
  }

  async abort(): Promise<void> {
    const file = await this.#file.catch(() => undefined);
    await file?.abort();
  }
}

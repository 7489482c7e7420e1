import type { State } from "../apply/index.ts";
import { assert } from "../base/index.ts";
import type { Commit, Db } from "../bolt/index.ts";
import type { Member as ClusterMember } from "../cluster/index.ts";
import type { Meters } from "./meters.ts";
import type { PageFilePort } from "./ports.ts";
import { resumable, type Slicer } from "./slices.ts";

/** Bytes after which a commit is due, as after so many operations: it takes as much memory again. */
const PENDING_BYTES_MAX = 32 * 1024 * 1024;
/** Pages moved in one commit so that the file becomes smaller: by itself, and when it was asked. */
const MOVED_PAGES_MAX = { calm: 64, defragmenting: 256 };

/** A page file as of a commit: the last entry in it, and the cluster as it was then. */
export interface Position {
  readonly index: number;
  readonly term: number;
  readonly members: readonly ClusterMember[];
  /** The cluster's version, empty before it is decided. */
  readonly version: string;
}

/**
 * Commits the page file on its own beat: what was applied gathers in memory and leaves in one
 * commit. The log has it all meanwhile, so nobody waits for this.
 */
export class PageKeeper {
  readonly #db: Db;
  readonly #state: State;
  readonly #file: PageFilePort;
  readonly #slicer: Slicer;
  readonly #operationsMax: number;
  readonly #meters: Meters;
  readonly #now: () => number;
  readonly #onFatal: (error: unknown) => void;
  #writing: Promise<void> | undefined;
  #due = false;
  /** What the durable page file holds. */
  #durable: Position;

  constructor(options: {
    db: Db;
    state: State;
    file: PageFilePort;
    slicer: Slicer;
    operationsMax: number;
    meters: Meters;
    now: () => number;
    onFatal: (error: unknown) => void;
  }) {
    this.#db = options.db;
    this.#state = options.state;
    this.#file = options.file;
    this.#slicer = options.slicer;
    this.#operationsMax = options.operationsMax;
    this.#meters = options.meters;
    this.#now = options.now;
    this.#onFatal = options.onFatal;
    this.#durable = this.#position();
  }

  get durable(): Position {
    return this.#durable;
  }

  /** The page file has become another, which is durable. */
  restart(): void {
    assert(this.#writing === undefined, "no commit is on its way");
    this.#durable = this.#position();
  }

  #position(): Position {
    const { storedIndex: index, storedTerm: term, members } = this.#state;
    return { index, term, members: members.allKnown(), version: members.version };
  }

  /** Whether there is a commit to be made, or one under way to be waited for. */
  get isDue(): boolean {
    return this.#due || this.#pending >= 1;
  }

  /** The interval has passed: what is pending should be committed. Answers whether anything is. */
  beat(): boolean {
    const { pendingOperations, canShrink } = this.#db;
    this.#due = pendingOperations > 0 || canShrink || this.#state.hasUnstoredIndex;
    return this.#due;
  }

  /**
   * Commits when it is time. While one commit is being written the next one gathers; at several
   * times the usual size it waits, and with it all writing.
   */
  async maybeCommit(pausing: () => void): Promise<void> {
    const pending = this.#pending;
    if (pending >= 1) this.#due = true;
    if (!this.#due) return;
    if (this.#writing !== undefined) {
      if (pending < 4) return;
      pausing();
      await this.#writing;
    }
    await this.#begin(pausing);
  }

  /** What is pending, as a share of what a commit usually holds at most. */
  get #pending(): number {
    const { pendingOperations, pendingBytes } = this.#db;
    return Math.max(pendingOperations / this.#operationsMax, pendingBytes / PENDING_BYTES_MAX);
  }

  /** Resolves when the commit that is under way is durable. */
  async written(): Promise<void> {
    await this.#writing;
  }

  /** Commits everything applied so far; resolves when it is durable. */
  async flush(): Promise<void> {
    await this.#writing;
    await this.#begin(() => {});
    await this.#writing;
  }

  async #begin(pausing: () => void): Promise<void> {
    assert(this.#writing === undefined, "one commit at a time");
    this.#due = false;
    await this.#slicer.retry(() => this.#state.beforeCommit());
    const slices = this.#commit();
    await this.#slicer.resume(slices, slices.next(), pausing);
  }

  /** A little of the file's end moves down with each commit. */
  *#shrink(): Generator<unknown, void, void> {
    if (!this.#db.canShrink) return;
    const { calm, defragmenting } = MOVED_PAGES_MAX;
    const pagesMax = this.#db.isDefragmenting ? defragmenting : calm;
    yield* resumable(() => this.#db.shrink(pagesMax));
  }

  /** The file must know the new pages before anybody reads again: so the write begins in here. */
  *#commit(): Generator<unknown, void, void> {
    const position = this.#position();
    const begun = this.#now();
    yield* this.#shrink();
    const commit = yield* resumable(() => this.#db.commit());
    if (commit === undefined) {
      this.#durable = position;
      return;
    }
    const spillMs = this.#now() - begun;
    const writing = this.#store(commit, position, spillMs);
    this.#writing = writing.catch((error: unknown) => this.#onFatal(error));
  }

  async #store(commit: Commit, position: Position, spillMs: number): Promise<void> {
    const begun = this.#now();
    await this.#file.write(commit);
    this.#measure(spillMs, this.#now() - begun);
    this.#db.committed(commit.txid);
    this.#durable = position;
    await this.#file.shrink(this.#db.readInPages);
    this.#writing = undefined;
  }

  #measure(spillMs: number, writeMs: number): void {
    this.#meters.commitSpill.observe(spillMs / 1000);
    this.#meters.commitWrite.observe(writeMs / 1000);
    this.#meters.commit.observe((spillMs + writeMs) / 1000);
  }
}

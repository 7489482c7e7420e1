import type { State } from "../apply/index.ts";
import type { Commit, Db, PageSource } from "../bolt/index.ts";
import type { Entry, Failure, HardState, Message, Snapshot, SnapshotMeta } from "../proto/index.ts";

/**
 * The member's four ways out: disk, network, time and chance. Everything else in this room is
 * computation, so that a test with other ports decides what happens and when.
 */

export interface LogPort {
  /**
   * Appends entries, then the hard state, in one contiguous write and, when `mustSync`, one sync.
   * Resolves when durable; calls made while one is under way leave together in the next write, and
   * end in order. Rejects only with a fatal error: the process must stop.
   */
  append(batch: {
    readonly hardState: HardState | undefined;
    readonly entries: readonly Entry[];
    readonly mustSync: boolean;
  }): Promise<void>;
  /** A `.snap` file, then the log's snapshot record, both synced. */
  saveSnapshot(meta: SnapshotMeta, v2json: Uint8Array): Promise<void>;
  /**
   * The same for a snapshot that the leader sent, whose page file is there already, with the hard
   * state that commits it: both last, or neither.
   */
  installSnapshot(snapshot: Snapshot, hardState: HardState): Promise<void>;
  /** Segments wholly before the index may be removed. */
  release(index: number): Promise<void>;
  close(): Promise<void>;
}

export interface PageFilePort {
  /** Pages from a bounded cache. */
  readonly source: PageSource;
  /** Carries a commit out: pages, sync, meta, sync. Until it resolves `source` serves its pages. */
  write(commit: Commit): Promise<void>;
  /** Gives back what lies beyond so many pages: see `Db.readInPages`. Never during a write. */
  shrink(sizeInPages: number): Promise<void>;
  /** Fetches a page that `source` missed. */
  load(page: number): Promise<void>;
  /** Reads the bytes of the file itself, for snapshots; also when another has taken its place. */
  open(): RawFile;
  close(): Promise<void>;
}

/** Bytes of one page file. It stays open until this is closed. */
export interface RawFile {
  /** Fills the bytes with those from the offset on. */
  read(offset: number, bytes: Uint8Array): Promise<void>;
  close(): void;
}

/** Page files that leaders send, until they take the place of the member's own. */
export interface ReceivedPort {
  /** Begins a file. Rejects with what the disk says. */
  create(): Promise<ReceivedFile>;
  /**
   * Opens the file that was finished for an index and restores the state in it, in slices. Rejects
   * when it is damaged.
   */
  open(index: number): Promise<Standby>;
  /** The file that was finished for an index is not wanted. */
  discard(index: number): Promise<void>;
}

/** A page file that arrives. One call at a time; what rejects leaves nothing behind. */
export interface ReceivedFile {
  readonly sizeBytes: number;
  /** The bytes may be reused when it resolves. */
  write(bytes: Uint8Array): Promise<void>;
  /** Syncs the file and gives it the name for a snapshot at the index. */
  finish(index: number): Promise<void>;
  abort(): Promise<void>;
}

/** The state that a received page file holds, beside the one that is served. */
export interface Standby {
  readonly state: State;
  readonly db: Db;
  /** The file takes the name of the member's own, for good. Rejects with what the disk says. */
  adopt(): Promise<void>;
  /** `PageFilePort` goes on with this file. */
  use(): void;
  /** It is not wanted. */
  close(): Promise<void>;
}

/** What a call to another member came to. */
export type PeerReply<T> =
  | { readonly kind: "value"; readonly value: T }
  /** The other member refused, with a failure of `proto/errors.ts` where etcd has one. */
  | { readonly kind: "refused"; readonly failure: Failure }
  /** Nobody knows: no connection, no answer in time, or one that makes no sense. */
  | { readonly kind: "unreached"; readonly reason: string };

/** A lease as its primary knows it. */
export interface PeerLease {
  /** -1: the lease is unknown or expired, and the other fields are empty. */
  readonly ttlSeconds: number;
  readonly grantedSeconds: number;
  readonly keys: readonly Uint8Array[];
}

/** The answer to `/members/hashkv`. */
export interface PeerHash {
  readonly hash: number;
  readonly compactRevision: number;
  readonly hashRevision: number;
  /** The member's current revision. */
  readonly revision: number;
}

/** The answer to `/version`. */
export interface PeerVersion {
  readonly server: string;
  /** Cluster version, `not_decided` while there is none. */
  readonly cluster: string;
  readonly storage: string;
}

/** The bytes of a page file at one point in time, read in any order while the file goes on. */
export interface SnapshotImage {
  readonly sizeBytes: number;
  /** Fills the bytes with those from the offset on. */
  read(offset: number, bytes: Uint8Array): Promise<void>;
  close(): void;
}

/** Where a page file that arrives from another member goes. */
export interface SnapshotSink {
  /** Resolves when more may follow. The bytes may be reused then. */
  write(bytes: Uint8Array): Promise<void>;
  /** All bytes are there: resolves when the file is durable and raft has the message. */
  finish(): Promise<void>;
  /** The sender went away, or sent too little. What was written is removed. */
  abort(): Promise<void>;
}

/**
 * Links to the other members. It never blocks: what cannot be queued is dropped and reported to
 * the inbox, and raft sends again.
 */
export interface NetworkPort {
  /**
   * All messages of one turn of the loop; those to a peer leave in one write. Entries' bytes are
   * valid during the call only: encode or copy them. Never a snapshot.
   */
  send(messages: readonly Message[]): void;
  /**
   * Sends a `snap` message and the page file behind it; closes the image when done. The outcome
   * goes to `PeerInbox.reportSnapshot`, exactly once.
   */
  sendSnapshot(message: Message, image: SnapshotImage): void;
  /** Adds a peer, or gives it other URLs. */
  setPeer(id: bigint, peerUrls: readonly string[]): void;
  removePeer(id: bigint): void;
  /** Monotonic milliseconds since which the peer has been reachable; undefined: it is not. */
  activeSince(id: bigint): number | undefined;

  // Calls to a peer over HTTP, to each of its URLs in turn, with etcd's own timeouts where none is
  // given. They never reject.

  hashKv(peer: bigint, revision: number): Promise<PeerReply<PeerHash>>;
  /** Asks the peer (the leader) to promote a learner; the value is JSON, the new member list. */
  promote(peer: bigint, learner: bigint): Promise<PeerReply<string>>;
  /** Renews a lease at the peer (the leader); the value is its TTL in seconds. */
  renewLease(peer: bigint, lease: bigint, timeoutMs: number): Promise<PeerReply<number>>;
  timeToLive(
    peer: bigint,
    query: { readonly lease: bigint; readonly keys: boolean },
    timeoutMs: number,
  ): Promise<PeerReply<PeerLease>>;
  version(peer: bigint): Promise<PeerReply<PeerVersion>>;

  /** Lets what is queued leave for a moment, then closes all links. */
  stop(): Promise<void>;
}

/**
 * What the transport calls on the member. The calls of the second half answer for this member
 * alone: they are never forwarded again, so nothing goes in circles.
 */
export interface PeerInbox {
  readonly ids: { readonly clusterId: bigint; readonly memberId: bigint };
  /**
   * A raft message from another member. Its bytes are the member's from now on. Behind it is a
   * bounded queue: what does not fit is dropped, and raft sends again.
   */
  receive(message: Message): void;
  isRemoved(id: bigint): boolean;
  /** A message to this peer was dropped or lost. */
  reportUnreachable(id: bigint): void;
  /** The peer's process is gone: its connections broke and new ones are refused. */
  reportGone(id: bigint): void;
  reportSnapshot(id: bigint, isOk: boolean): void;
  /** A snapshot begins to arrive; a failure refuses it. */
  receiveSnapshot(message: Message): SnapshotSink | Failure;

  /** The body of `GET /members`. */
  membersJson(): string;
  version(): PeerVersion;
  /** After a linearizable read. */
  isDowngradeEnabled(): Promise<PeerReply<boolean>>;
  hashKv(revision: number): Promise<PeerReply<PeerHash>>;
  promote(learner: bigint): Promise<PeerReply<string>>;
  renewLease(lease: bigint): Promise<PeerReply<number>>;
  timeToLive(query: {
    readonly lease: bigint;
    readonly keys: boolean;
  }): Promise<PeerReply<PeerLease>>;
}

export interface TimePort {
  /** Monotonic milliseconds. */
  now(): number;
  /**
   * Whether this turn of the event loop has had its share of the processor (about 4 ms). Who must
   * not starve where others use that up says since when he goes on, a time of `now`: he has 2 ms of
   * every turn.
   */
  turnIsSpent(since?: number): boolean;
  /** Resolves in a later turn, after whoever else waits has had one. */
  nextTurn(): Promise<void>;
  /** Calls `work` in a later turn, after the input that is there now has been read. */
  soon(work: () => void): void;
  sleep(ms: number): Promise<void>;
}

export interface LogLines {
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
}

export interface ErrorLines extends LogLines {
  error(message: string, fields?: object): void;
}

/** How people read durations (`1m30s`) and sizes (`2.1 GB`), as Go prints them. */
export interface TextPort {
  duration(ms: number): string;
  bytes(count: number): string;
}

/** A running SHA-256. */
export interface HashPort {
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
}

export interface Ports {
  readonly log: LogPort;
  readonly pageFile: PageFilePort;
  readonly received: ReceivedPort;
  /** Makes the links to the other members, who reach this one through the inbox. */
  readonly connect: (inbox: PeerInbox) => NetworkPort;
  readonly time: TimePort;
  readonly lines: ErrorLines;
  readonly text: TextPort;
  readonly sha256: () => HashPort;
  /** The id of a member that is added now. */
  readonly newMemberId: (peerUrls: readonly string[]) => bigint;
}

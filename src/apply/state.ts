import { assert, keyToBytes, textToBytes } from "../base/index.ts";
import { type Bucket, type Db, PageMiss } from "../bolt/index.ts";
import {
  carryOut,
  type Members,
  readChange,
  refusalOf,
  refusalOfClusterVersion,
  versionOf,
} from "../cluster/index.ts";
import type { Lease, Lessor } from "../lease/index.ts";
import {
  type ChangeList,
  restartable,
  type Slices,
  type Store,
  type WriteTxn,
} from "../mvcc/index.ts";
import {
  api,
  type ConfState,
  decodeConfChange,
  decodeDeleteRangeRequest,
  decodeMessage,
  decodePutRequest,
  decodeTxnRequest,
  encodeMessage,
  type ConfChange,
  type DeleteRangeRequest,
  ENTRY_TYPE,
  type Entry,
  type ErrorName,
  InternalRequest,
  type PutRequest,
  REQUEST,
  type Reader,
  type TxnRequest,
  Writer,
} from "../proto/index.ts";
import { Alarms } from "./alarms.ts";
import type { MemberChange } from "./member-change.ts";
import { costOfPut, costOfTxn, LEASE_COST, Quota } from "./quota.ts";
import { Replies, writeFrames } from "./replies.ts";
import { Transaction } from "./txn.ts";

/** What the proposer of an entry is answered. `message` must be sent before the next apply. */
export interface Applied {
  readonly error: ErrorName | undefined;
  readonly message: Uint8Array | undefined;
}

/** Who waits here for the answers to entries. */
export interface Waiting {
  has(member: number, sequence: number): boolean;
}

/** An entry that asks for what this version cannot do. Skipping it would make members differ. */
export class UnsupportedEntry extends Error {}

/** Monotonic milliseconds; decides nothing that is replicated, only when a lease began. */
export type Clock = () => number;

export interface StateOptions {
  readonly db: Db;
  readonly store: Store;
  readonly lessor: Lessor;
  readonly members: Members;
  readonly ids: { readonly clusterId: bigint; readonly memberId: bigint };
  readonly clock: Clock;
  /** Bound of the page file, as configured (see `Quota`). Decides what is answered, not what is done. */
  readonly quotaBytes: number;
  /** Whether what checkpoints leave of leases goes to the page file below cluster version 3.6, too. */
  readonly persistCheckpoints: boolean;
  /** Learners that there may be: decides what a change of the members does, so all have the same. */
  readonly learnersMax: number;
  /** Told of every finished revision; the list is valid during the call only. */
  readonly onRevision: (changes: ChangeList) => void;
}

const NOTHING: Applied = { error: undefined, message: undefined };
const NO_SPACE: Applied = { error: "noSpace", message: undefined };

/** From this cluster version on, checkpoints of leases are persisted by all members. */
const CHECKPOINTS_PERSIST_VERSION = "3.6.0";

/** What an alarm about differing data forbids, besides what the services refuse (etcd: `corrupt.go`). */
const CORRUPT_REFUSES: ReadonlySet<number> = new Set([
  REQUEST.range,
  REQUEST.put,
  REQUEST.deleteRange,
  REQUEST.txn,
  REQUEST.compaction,
  REQUEST.leaseGrant,
  REQUEST.leaseRevoke,
]);

const CONSISTENT_INDEX = textToBytes("consistent_index");
const TERM = textToBytes("term");
const CONF_STATE = textToBytes("confState");

/**
 * The state machine behind the log. `apply` takes committed entries in order; what is in the page
 * file already is not done twice. The index and term of the last applied entry go to the page file
 * with the data, in one commit.
 */
export class State {
  readonly store: Store;
  readonly lessor: Lessor;
  readonly members: Members;
  readonly alarms: Alarms;
  readonly quota: Quota;
  /** The request that is being applied, or was last. */
  readonly request = new InternalRequest();
  /** Index and term of the last entry that was applied, in full. */
  appliedIndex = 0;
  appliedTerm = 0;
  /** The cluster's version went down: the log should get a snapshot, whatever its length. */
  wantsSnapshot = false;
  /** Up to here the page file was ahead of the log's replay; with the term of that entry. */
  #storedIndex = 0;
  #storedTerm = 0;
  #confState: ConfState | undefined;

  #meta: Bucket;
  readonly #clock: Clock;
  readonly #onRevision: (changes: ChangeList) => void;
  readonly #replies: Replies;
  readonly #transaction: Transaction;
  readonly #persistCheckpoints: boolean;
  readonly #learnersMax: number;

  constructor(options: StateOptions) {
    this.store = options.store;
    this.lessor = options.lessor;
    this.members = options.members;
    this.alarms = new Alarms(options.db.bucket("alarm"));
    this.quota = new Quota(options.db, options.quotaBytes);
    this.#persistCheckpoints = options.persistCheckpoints;
    this.#learnersMax = options.learnersMax;
    this.#meta = options.db.bucket("meta");
    this.#clock = options.clock;
    this.#onRevision = options.onRevision;
    this.#replies = new Replies(options.ids);
    this.#transaction = new Transaction(this.store, this.lessor);
  }

  /** Reads alarms and position of the page file. The other parts of the state restore themselves. */
  restore(): void {
    this.alarms.restore();
    const index = this.#meta.get(CONSISTENT_INDEX);
    const term = this.#meta.get(TERM);
    if (index !== undefined) this.#storedIndex = readU64(index);
    if (term !== undefined) this.#storedTerm = readU64(term);
    this.appliedTerm = this.#storedTerm;
  }

  /**
   * Goes on as another one, which must not be used by itself any more: one that was restored from a
   * page file in which everything up to `position` is applied. `Db.become` is the caller's to call.
   * The answer says whether anything of the old store is still being read.
   */
  become(other: State, position: { readonly index: number; readonly term: number }): () => boolean {
    assert(position.index > this.appliedIndex, "the state goes forward");
    assert(other.#storedIndex >= position.index, "the page file holds the state");
    const isRead = this.store.become(other.store);
    this.lessor.become(other.lessor);
    this.members.become(other.members);
    this.alarms.become(other.alarms);
    this.#meta = other.#meta;
    this.#storedIndex = other.#storedIndex;
    this.#storedTerm = other.#storedTerm;
    this.#confState = undefined;
    this.appliedIndex = position.index;
    this.appliedTerm = position.term;
    return isRead;
  }

  /** Index up to which the page file holds everything. */
  get storedIndex(): number {
    return this.#storedIndex;
  }

  get storedTerm(): number {
    return this.#storedTerm;
  }

  /** Whether entries were applied that the page file does not know of. */
  get hasUnstoredIndex(): boolean {
    return this.appliedIndex > this.#storedIndex;
  }

  /**
   * Applies one committed normal entry, at once or, when it is long or misses a page, in slices.
   * Reads inside a txn are skipped when nobody here waits for their answers. `request` names the
   * entry's proposer until the next apply.
   */
  apply(entry: Entry, waiting: Waiting): Applied | Slices<Applied> {
    assert(entry.type === ENTRY_TYPE.normal, "a normal entry");
    assert(entry.index > this.appliedIndex, "entries are applied once, in order");
    const { request } = this;
    if (entry.data.length === 0) {
      request.sequence = 0;
      return this.#finish(entry, NOTHING);
    }
    request.decode(entry.data);
    const isNew = entry.index > this.#storedIndex;
    switch (request.field) {
      case REQUEST.clusterVersionSet:
      case REQUEST.clusterMemberAttrSet:
      case REQUEST.downgradeInfoSet:
        return this.#finishWhenDone(entry, this.#applyCluster(request, isNew));
    }
    if (!isNew) return this.#finish(entry, NOTHING);
    const wanted = waiting.has(request.member, request.sequence);
    const applied = this.#applyRequest(request.field, request.body, entry, wanted);
    return this.#finishWhenDone(entry, applied);
  }

  #finishWhenDone(entry: Entry, applied: Applied | Slices<Applied>): Applied | Slices<Applied> {
    return "next" in applied ? this.#finishLater(entry, applied) : this.#finish(entry, applied);
  }

  #finish(entry: Entry, applied: Applied): Applied {
    this.appliedIndex = entry.index;
    this.appliedTerm = entry.term;
    return applied;
  }

  *#finishLater(entry: Entry, applying: Slices<Applied>): Slices<Applied> {
    return this.#finish(entry, yield* applying);
  }

  #applyRequest(
    field: number,
    body: Reader,
    entry: Entry,
    wanted: boolean,
  ): Applied | Slices<Applied> {
    const { term } = entry;
    if (this.alarms.hasCorrupt && CORRUPT_REFUSES.has(field)) return refuse("corrupt");
    switch (field) {
      case REQUEST.put: {
        const put = decodePutRequest(body);
        return this.#charged(costOfPut(put), () => this.#put(put, term));
      }
      case REQUEST.deleteRange:
        return this.#deleteRange(decodeDeleteRangeRequest(body), term);
      case REQUEST.txn: {
        const txn = decodeTxnRequest(body);
        return this.#charged(costOfTxn(txn), () => this.#txn(txn, term, wanted));
      }
      case REQUEST.compaction:
        return this.#compact(body, term);
      case REQUEST.leaseGrant:
        return this.#charged(LEASE_COST, () => this.#leaseGrant(body, term));
      case REQUEST.leaseRevoke:
        return this.#leaseRevoke(body, term);
      case REQUEST.leaseCheckpoint:
        return this.#leaseCheckpoint(body, term);
      case REQUEST.alarm:
        return this.#alarm(body, term);
      default:
        throw new UnsupportedEntry(
          `log entry ${entry.index} holds a request (field ${field}) that this version of quord ` +
            "cannot apply; start etcd on this directory, stop it cleanly, and try again",
        );
    }
  }

  /**
   * What takes room is refused while an alarm says that there is none. Without the alarm it is done
   * in any case, so that all members do the same; but where this member's own quota is exceeded, it
   * is answered as if it were not, and the alarm is raised by whoever sees that answer.
   */
  #charged(cost: number, carryOut: () => Applied | Slices<Applied>): Applied | Slices<Applied> {
    if (this.alarms.hasNoSpace && cost > 0) return NO_SPACE;
    const hasRoom = this.quota.hasRoom(cost);
    const applied = carryOut();
    if (hasRoom) return applied;
    return "next" in applied ? outOfRoomLater(applied) : outOfRoom(applied);
  }

  #put(put: PutRequest, term: number): Applied | Slices<Applied> {
    if (put.ignoreValue || put.ignoreLease || put.prevKv) return this.#putLooking(put, term);
    if (put.lease !== 0n && this.lessor.get(put.lease) === undefined)
      return refuse("leaseNotFound");
    const txn = this.store.begin();
    try {
      txn.put(put.key, put.value, put.lease);
    } catch (error) {
      if (!(error instanceof PageMiss)) throw error;
      return this.#putLooking(put, term, txn);
    }
    this.lessor.attach(put.lease, put.key);
    return { error: undefined, message: this.#replies.message(this.#end(txn), term) };
  }

  /** A put that looks at the pair before it, or has to wait for a page. */
  *#putLooking(put: PutRequest, term: number, begun?: WriteTxn): Slices<Applied> {
    const refusal = yield* this.#transaction.checkPut(put);
    if (refusal !== undefined) return refuse(refusal);
    const txn = begun ?? this.store.begin();
    const previous = yield* this.#transaction.write(put, txn);
    const revision = this.#end(txn);
    return reply(
      this.#replies.message(revision, term, (w) => {
        if (put.prevKv && previous !== undefined) w.messageField(2, previous);
      }),
    );
  }

  *#deleteRange(request: DeleteRangeRequest, term: number): Slices<Applied> {
    const txn = this.store.begin();
    const previous = yield* this.#transaction.previous(request, txn);
    const deleted = yield* this.#transaction.remove(request, txn);
    const revision = this.#end(txn);
    return reply(
      this.#replies.message(revision, term, (w) => {
        w.intField(2, deleted);
        if (previous !== undefined) writeFrames(w, previous.kvs);
      }),
    );
  }

  *#txn(request: TxnRequest, term: number, wanted: boolean): Slices<Applied> {
    const transaction = this.#transaction;
    const plan = yield* transaction.plan(request);
    const refusal = yield* transaction.check(plan);
    if (refusal !== undefined) return refuse(refusal);
    const txn = this.store.begin();
    // Reads are answered between the slices: the reply grows in a buffer of its own.
    const fields = wanted ? new Writer(512) : undefined;
    yield* transaction.execute(plan, txn, fields);
    const revision = this.#end(txn);
    return reply(this.#replies.message(revision, term, (w) => fields && w.raw(fields.view())));
  }

  #compact(body: Reader, term: number): Applied {
    const { revision } = decodeMessage(api.CompactionRequest, body.rest());
    const refusal = this.store.compact(revision);
    if (refusal !== undefined) return refuse(refusal === "compacted" ? "compacted" : "futureRev");
    return reply(this.#replies.message(this.store.currentRevision, term));
  }

  #leaseGrant(body: Reader, term: number): Applied | Slices<Applied> {
    const { ID, TTL } = decodeMessage(api.LeaseGrantRequest, body.rest());
    return this.#retryable(() => {
      const lease = this.lessor.grant(ID, TTL, this.#clock());
      if (typeof lease === "string") return refuse(lease);
      return reply(
        this.#replies.message(this.store.currentRevision, term, (w) => {
          w.bigField(2, lease.id);
          w.intField(3, lease.ttlSeconds);
        }),
      );
    });
  }

  *#leaseRevoke(body: Reader, term: number): Slices<Applied> {
    const { ID } = decodeMessage(api.LeaseRevokeRequest, body.rest());
    const lease = this.lessor.get(ID);
    if (lease === undefined) return refuse("leaseNotFound");
    if (lease.keys.size > 0) yield* this.#deleteKeys(lease);
    yield* resumable(() => this.lessor.remove(ID));
    return reply(this.#replies.message(this.store.currentRevision, term));
  }

  /** In byte order, so that the records are the same on all members. */
  *#deleteKeys(lease: Lease): Slices<void> {
    const keys = yield* this.lessor.sortedKeys(lease);
    const txn = this.store.begin();
    let count = 0;
    for (const key of keys) {
      yield* txn.deleteRange(keyToBytes(key), NO_END);
      if (++count % DELETES_PER_SLICE === 0) yield undefined;
    }
    this.#end(txn);
  }

  #leaseCheckpoint(body: Reader, term: number): Applied | Slices<Applied> {
    const { checkpoints } = decodeMessage(api.LeaseCheckpointRequest, body.rest());
    const version = versionOf(this.members.version) ?? 0;
    const persist = this.#persistCheckpoints || version >= versionOf(CHECKPOINTS_PERSIST_VERSION)!;
    return this.#retryable(() => {
      const now = this.#clock();
      for (const checkpoint of checkpoints) this.lessor.checkpoint(checkpoint, now, { persist });
      return reply(this.#replies.message(this.store.currentRevision, term));
    });
  }

  #alarm(body: Reader, term: number): Applied | Slices<Applied> {
    const request = decodeMessage(api.AlarmRequest, body.rest());
    return this.#retryable(() => {
      const alarms = this.alarms.apply(request);
      return reply(
        this.#replies.message(this.store.currentRevision, term, (w) => {
          for (const alarm of alarms) w.messageField(2, encodeMessage(api.AlarmMember, alarm));
        }),
      );
    });
  }

  /** Runs at once what nearly never misses a page, and again, in slices, when it does. */
  #retryable<T>(operation: () => T): T | Slices<T> {
    try {
      return operation();
    } catch (error) {
      if (!(error instanceof PageMiss)) throw error;
      return restartable(operation);
    }
  }

  #end(txn: WriteTxn): number {
    const { revision, changes } = txn.end();
    if (changes.length > 0) this.#onRevision(changes);
    return revision;
  }

  /** What the cluster knows of itself is applied again at replay: the page file may say less. */
  #applyCluster(request: InternalRequest, isNew: boolean): Applied | Slices<Applied> {
    const { members } = this;
    const store = { store: isNew };
    const body = request.body.rest();
    if (request.field === REQUEST.clusterVersionSet) {
      const { ver } = decodeMessage(api.ClusterVersionSetRequest, body);
      return this.#retryable(() => this.#setVersion(ver, store));
    }
    if (request.field === REQUEST.clusterMemberAttrSet) {
      const set = decodeMessage(api.ClusterMemberAttrSetRequest, body);
      const { name = "", clientUrls = [] } = set.memberAttributes ?? {};
      return this.#retryable(() => {
        members.setAttributes(set.memberID, { name, clientUrls }, store);
        return NOTHING;
      });
    }
    const { enabled, ver } = decodeMessage(api.DowngradeInfoSetRequest, body);
    return this.#retryable(() => {
      members.setDowngrade({ enabled, target: ver }, store);
      return NOTHING;
    });
  }

  #setVersion(version: string, store: { store: boolean }): Applied {
    const { members } = this;
    const refusal = refusalOfClusterVersion(version);
    if (refusal !== undefined) throw new UnsupportedEntry(`${refusal}: ${version}`);
    const isLower = (versionOf(version) ?? 0) < (versionOf(members.version) ?? 0);
    members.setVersion(version, store);
    if (isLower) this.wantsSnapshot = true;
    return NOTHING;
  }

  /**
   * Takes a committed configuration change to the member list. `toRaft` is given the change, or in
   * place of a void one that of nobody, and answers the configuration that results. Raft began with
   * the members of the page file, so what is in there already does not go to it again.
   */
  applyConfChange(
    entry: Entry,
    toRaft: (change: ConfChange) => ConfState,
  ): MemberChange | Slices<MemberChange> {
    assert(entry.type === ENTRY_TYPE.confChange, "a configuration change");
    assert(entry.index > this.appliedIndex, "entries are applied once, in order");
    const conf = decodeConfChange(entry.data);
    const change = readChange(conf);
    const isReplayed = entry.index <= this.#storedIndex;
    const nothing = { error: undefined, set: undefined, removed: undefined };
    const same = { id: conf.id, change, isReplayed, ...nothing };
    if (isReplayed) {
      this.#finish(entry, NOTHING);
      return same;
    }
    const error = refusalOf(change, this.members, { learnersMax: this.#learnersMax });
    if (error !== undefined) {
      toRaft({ ...conf, nodeId: 0n });
      this.#finish(entry, NOTHING);
      return { ...same, error };
    }
    const carriedOut = (): MemberChange => {
      const effect = carryOut(change, this.members);
      this.#confState = toRaft(conf);
      this.#finish(entry, NOTHING);
      return { ...same, ...effect };
    };
    return this.#retryable(carriedOut);
  }

  /** Puts the position into the page file, as the last thing before a commit. */
  beforeCommit(): void {
    if (this.appliedIndex > this.#storedIndex) {
      this.#meta.put(CONSISTENT_INDEX, writeU64(this.appliedIndex));
      if (this.appliedTerm > 0) this.#meta.put(TERM, writeU64(this.appliedTerm));
      this.#storedIndex = this.appliedIndex;
      this.#storedTerm = this.appliedTerm;
    }
    if (this.#confState !== undefined) {
      this.#meta.put(CONF_STATE, textToBytes(confStateJson(this.#confState)));
      this.#confState = undefined;
    }
  }
}

const NO_END = new Uint8Array(0);

/** Keys of a lease that are deleted in one slice. */
const DELETES_PER_SLICE = 200;

/** Index up to which a page file holds everything; 0 for a new one. Throws PageMiss. */
export function storedIndexOf(db: Db): number {
  const index = db.bucket("meta").get(CONSISTENT_INDEX);
  return index === undefined ? 0 : readU64(index);
}

/** The answer to what was done beyond the quota. What was refused anyway stays refused. */
function outOfRoom(applied: Applied): Applied {
  return applied.error === undefined ? NO_SPACE : applied;
}

function* outOfRoomLater(applying: Slices<Applied>): Slices<Applied> {
  return outOfRoom(yield* applying);
}

/** Runs slices of which only the first can miss a page, before it has changed anything. */
function* resumable(begin: () => Slices<void>): Slices<void> {
  const { slices, step } = yield* restartable(() => {
    const slices = begin();
    return { slices, step: slices.next() };
  });
  if (step.done === true) return;
  yield step.value;
  yield* slices;
}

function reply(message: Uint8Array): Applied {
  return { error: undefined, message };
}

function refuse(error: ErrorName): Applied {
  return { error, message: undefined };
}

function readU64(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return view.getUint32(0) * 0x1_0000_0000 + view.getUint32(4);
}

function writeU64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(value / 0x1_0000_0000));
  view.setUint32(4, value % 0x1_0000_0000);
  return bytes;
}

/** Go's JSON of raftpb.ConfState: bare numbers, empty lists left out. */
function confStateJson(conf: ConfState): string {
  const fields: string[] = [];
  const list = (name: string, ids: readonly bigint[]) => {
    if (ids.length > 0) fields.push(`"${name}":[${ids.join(",")}]`);
  };
  list("voters", conf.voters);
  list("learners", conf.learners);
  list("voters_outgoing", conf.votersOutgoing);
  list("learners_next", conf.learnersNext);
  fields.push(`"auto_leave":${conf.autoLeave}`);
  return `{${fields.join(",")}}`;
}

/** For tests: a state in memory, and ways to have it apply entries. */
import { Arena, textToBytes } from "../base/index.ts";
import { toEnd } from "../base/testing.ts";
import { Db } from "../bolt/index.ts";
import { Members } from "../cluster/index.ts";
import { Lessor } from "../lease/index.ts";
import { type ChangeList, Store } from "../mvcc/index.ts";
import {
  api,
  encodeInternalRequest,
  encodeMessage,
  ENTRY_TYPE,
  type Init,
  REQUEST,
  type Schema,
} from "../proto/index.ts";
import { type Applied, State } from "./index.ts";

/** A state, and the entries that it is given. */
export class Bench {
  readonly state: State;
  readonly db = Db.create({ pageSize: 4096, source: { read: () => undefined } });
  readonly #arena = new Arena();

  constructor(quotaBytes = 0, onRevision: (changes: ChangeList) => void = () => {}) {
    const { db } = this;
    const lessor = new Lessor({ bucket: db.bucket("lease"), ttlSecondsMin: 2 });
    this.state = new State({
      db,
      store: new Store({ key: db.bucket("key"), meta: db.bucket("meta") }),
      lessor,
      members: new Members({ db }),
      ids: { clusterId: 1n, memberId: 2n },
      clock: () => 0,
      onRevision,
      quotaBytes,
      persistCheckpoints: false,
      learnersMax: 1,
    });
    toEnd(this.state.store.restore(() => {}));
    this.state.restore();
  }

  apply<T>(field: number, schema: Schema<T>, request: Init<T>): Applied {
    const index = this.state.appliedIndex + 1;
    const id = { member: 2, sequence: index };
    const data = encodeInternalRequest(this.#arena, field, encodeMessage(schema, request), id);
    const entry = { type: ENTRY_TYPE.normal, term: 1, index, data };
    const applied = this.state.apply(entry, { has: () => true });
    return "next" in applied ? toEnd(applied) : applied;
  }

  put(key: string, lease = 0n): string {
    const pair = { key: textToBytes(key), value: textToBytes("v"), lease };
    return outcome(this.apply(REQUEST.put, api.PutRequest, pair));
  }

  txn(...requests: Init<api.RequestOp>[]): string {
    return outcome(this.apply(REQUEST.txn, api.TxnRequest, { success: requests }));
  }

  deleteRange(key: string): string {
    return outcome(
      this.apply(REQUEST.deleteRange, api.DeleteRangeRequest, { key: textToBytes(key) }),
    );
  }

  grant(id: bigint): string {
    return outcome(this.apply(REQUEST.leaseGrant, api.LeaseGrantRequest, { ID: id, TTL: 60 }));
  }

  revoke(id: bigint): string {
    return outcome(this.apply(REQUEST.leaseRevoke, api.LeaseRevokeRequest, { ID: id }));
  }

  compact(revision: number): string {
    return outcome(this.apply(REQUEST.compaction, api.CompactionRequest, { revision }));
  }

  alarm(action: number, alarm: number): string {
    return outcome(this.apply(REQUEST.alarm, api.AlarmRequest, { action, memberID: 2n, alarm }));
  }
}

const outcome = ({ error }: Applied): string => error ?? "done";

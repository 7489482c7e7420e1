import { bytesToKey, bytesToText } from "../../src/base/index.ts";
import {
  api,
  type Compare,
  COMPARE_RESULT,
  COMPARE_TARGET,
  decodeDeleteRangeRequest,
  decodeMessage,
  decodePutRequest,
  decodeTxnRequest,
  type Entry,
  InternalRequest,
  type Reader,
  REQUEST,
  type RequestOp,
} from "../../src/proto/index.ts";

/** Shortest lease with an election timeout of half a second. */
export const TTL_SECONDS_MIN = 1;

export interface Pair {
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly value: string;
  readonly lease: bigint;
}

/** What one revision did to one key. A deletion has no pair. */
export interface Change {
  readonly main: number;
  readonly sub: number;
  readonly key: string;
  readonly pair: Pair | undefined;
}

/** What a store with leases does, with a map and a list. Answers are told as short texts. */
export class Model {
  revision = 1;
  compacted = 0;
  readonly pairs = new Map<string, Pair>();
  readonly leases = new Map<bigint, number>();
  /** Since the last compaction, in order. */
  history: Change[] = [];
  #sub = 0;

  /** Carries an entry of the log out, and says what its proposer is answered. */
  apply(entry: Entry): string {
    if (entry.type !== 0 || entry.data.length === 0) return "";
    const { field, body } = new InternalRequest().decode(entry.data);
    switch (field) {
      case REQUEST.put:
        return this.#txn([{ kind: "put", put: decodePutRequest(body) }]);
      case REQUEST.deleteRange: {
        const before = this.pairs.size;
        const answer = this.#txn([{ kind: "delete", delete: decodeDeleteRangeRequest(body) }]);
        return `${answer}, deleted ${before - this.pairs.size}`;
      }
      case REQUEST.txn:
        return this.#compareAndRun(body);
      case REQUEST.compaction:
        return this.#compact(decodeMessage(api.CompactionRequest, body.rest()).revision);
      case REQUEST.leaseGrant:
        return this.#grant(decodeMessage(api.LeaseGrantRequest, body.rest()));
      case REQUEST.leaseRevoke:
        return this.#revoke(decodeMessage(api.LeaseRevokeRequest, body.rest()).ID);
      default:
        return "";
    }
  }

  #compareAndRun(body: Reader): string {
    const { compare, success, failure } = decodeTxnRequest(body);
    const succeeded = compare.every((one) => this.#holds(one));
    const answer = this.#txn(succeeded ? success : failure);
    return answer.startsWith("revision") ? `${answer}, ${succeeded}` : answer;
  }

  #holds({ key, target, result, number, value }: Compare): boolean {
    const pair = this.pairs.get(bytesToKey(key));
    const [a, b] =
      target === COMPARE_TARGET.value
        ? [pair?.value, bytesToText(value)]
        : [(target === COMPARE_TARGET.mod ? pair?.mod : pair?.version) ?? 0, number];
    if (a === undefined) return false;
    return result === COMPARE_RESULT.equal ? a === b : a > b;
  }

  #txn(steps: readonly RequestOp[]): string {
    const isRefused = (step: RequestOp) =>
      step.kind === "put" && step.put.lease !== 0n && !this.leases.has(step.put.lease);
    if (steps.some(isRefused)) return "leaseNotFound";
    this.#sub = 0;
    for (const step of steps) {
      if (step.kind === "put") {
        const { key, value, lease } = step.put;
        this.#put(bytesToKey(key), bytesToText(value), lease);
      } else if (step.kind === "delete") {
        const { key, rangeEnd } = step.delete;
        this.#delete(bytesToKey(key), bytesToKey(rangeEnd));
      }
    }
    return this.#end();
  }

  #end(): string {
    if (this.#sub > 0) this.revision++;
    return `revision ${this.revision}`;
  }

  #put(key: string, value: string, lease: bigint): void {
    const main = this.revision + 1;
    const old = this.pairs.get(key);
    const version = (old?.version ?? 0) + 1;
    const pair = { create: old?.create ?? main, mod: main, version, value, lease };
    this.pairs.set(key, pair);
    this.history.push({ main, sub: this.#sub++, key, pair });
  }

  #delete(key: string, rangeEnd: string): void {
    const isMeant = (other: string) =>
      rangeEnd === "" ? other === key : other >= key && other < rangeEnd;
    for (const meant of [...this.pairs.keys()].filter(isMeant).toSorted()) {
      this.pairs.delete(meant);
      this.history.push({
        main: this.revision + 1,
        sub: this.#sub++,
        key: meant,
        pair: undefined,
      });
    }
  }

  #compact(revision: number): string {
    if (revision <= this.compacted) return "compacted";
    if (revision > this.revision) return "futureRev";
    this.compacted = revision;
    this.history = this.history.filter(({ main }) => main > revision);
    return `revision ${this.revision}`;
  }

  #grant({ ID, TTL }: { ID: bigint; TTL: number }): string {
    if (this.leases.has(ID)) return "leaseExist";
    this.leases.set(ID, Math.max(TTL, TTL_SECONDS_MIN));
    return `revision ${this.revision}, for ${this.leases.get(ID)} s`;
  }

  #revoke(id: bigint): string {
    if (!this.leases.delete(id)) return "leaseNotFound";
    this.#sub = 0;
    const attached = [...this.pairs].filter(([, pair]) => pair.lease === id);
    for (const [key] of attached.toSorted(([a], [b]) => (a < b ? -1 : 1))) this.#delete(key, "");
    return this.#end();
  }
}

/**
 * Whether a history is strictly serializable, and whether watches and leases kept their promises.
 *
 * etcd tells with each answer at which revision it was true, so no order has to be searched for:
 * writes stand in the order of their revisions, reads behind the write of theirs, and what is left
 * is to see whether that order explains every answer and agrees with the clock.
 */
import { type ChangeLog, mergeWatches, type Say } from "./log.ts";
import { LeaseRules } from "./leases.ts";
import {
  type Change,
  type History,
  isIn,
  type Operation,
  type Pair,
  type Request,
  type Write,
  writesOf,
} from "./types.ts";

const VIOLATIONS_MAX = 50;

/** Where an operation stands in the order of all: writes before the reads that see them. */
interface Placed {
  readonly operation: Operation;
  readonly revision: number;
  readonly isWrite: boolean;
}

/** Everything that is wrong with a history, as sentences; empty when nothing is. */
export function checkHistory(history: History): string[] {
  const violations: string[] = [];
  const say = (text: string) => {
    if (violations.length < VIOLATIONS_MAX) violations.push(text);
  };
  const log = mergeWatches(history.watches, say);
  new Check(history, log, say).run();
  return violations;
}

class Check {
  readonly #log: ChangeLog;
  readonly #say: Say;
  readonly #operations: readonly Operation[];
  readonly #leases: LeaseRules;
  readonly #state = new Map<string, Pair>();
  readonly #placed: Placed[] = [];
  readonly #writeAt = new Map<number, Operation>();
  /** Of puts whose fate is not known: who sent the value. */
  readonly #senders = new Map<string, Operation>();
  readonly #lostDeletes: Operation[];
  /** Reads of the past, by the revision that was asked for. */
  readonly #oldReads = new Map<number, Operation[]>();

  constructor({ operations }: History, log: ChangeLog, say: Say) {
    this.#log = log;
    this.#say = say;
    this.#operations = operations;
    this.#leases = new LeaseRules(operations, say);
    this.#lostDeletes = operations.filter(
      ({ request, answer, isVoid }) =>
        request.kind === "delete" && answer === undefined && isVoid !== true,
    );
  }

  run(): void {
    const reads = new Map<number, Operation[]>();
    for (const operation of this.#operations) this.#sort(operation, reads);
    this.#checkReads(this.#log.first - 1, reads);
    for (const [revision, changes] of this.#log) {
      this.#explain(revision, changes);
      for (const change of changes) this.#apply(change);
      this.#checkReads(revision, reads);
    }
    for (const at of reads.keys()) {
      if (at > this.#log.last) this.#say(`an answer at revision ${at} was told to no watch`);
    }
    this.#checkLost();
    this.#leases.finish(this.#state, this.#log.last);
    this.#checkOrder();
  }

  /** Writes that were carried out go to their revision, reads to theirs. */
  #sort(operation: Operation, reads: Map<number, Operation[]>): void {
    const { request, answer } = operation;
    for (const write of allWrites(request)) {
      if (write.kind === "put") this.#senders.set(write.value, operation);
    }
    if (answer === undefined || !hasRevision(request)) return;
    if (changesSomething(operation)) {
      const other = this.#writeAt.get(answer.revision);
      if (other !== undefined) {
        this.#say(`two writes at one revision: ${show(other)} and ${show(operation)}`);
      }
      this.#writeAt.set(answer.revision, operation);
      return;
    }
    const group = reads.get(answer.revision);
    if (group === undefined) reads.set(answer.revision, [operation]);
    else group.push(operation);
    if (request.kind !== "range" || request.revision === undefined) return;
    const old = this.#oldReads.get(request.revision);
    if (old === undefined) this.#oldReads.set(request.revision, [operation]);
    else old.push(operation);
  }

  #checkReads(revision: number, reads: ReadonlyMap<number, Operation[]>): void {
    for (const operation of reads.get(revision) ?? []) this.#checkRead(operation);
    for (const operation of this.#oldReads.get(revision) ?? []) this.#checkPairs(operation);
  }

  /** Finds out who made a revision, and whether he made just that. */
  #explain(revision: number, changes: readonly Change[]): void {
    const answered = this.#writeAt.get(revision);
    const operation = answered ?? this.#unanswered(changes);
    if (operation === undefined) {
      const lease = this.#leases.ended(revision, changes, this.#state, this.#happenedBy(revision));
      if (lease?.operation !== undefined) this.#place(lease.operation, revision, true);
      if (lease === undefined) {
        this.#say(`nobody asked for revision ${revision}: ${JSON.stringify(changes)}`);
      }
      return;
    }
    if (answered === undefined && operation.answer !== undefined) {
      this.#say(`carried out again at revision ${revision}: ${show(operation)}`);
    }
    if (operation.isVoid === true) {
      this.#say(`refused, yet carried out at revision ${revision}: ${show(operation)}`);
    }
    if (answered === undefined) this.#writeAt.set(revision, operation);
    if (!this.#fits(operation, changes)) {
      this.#say(`revision ${revision} is ${JSON.stringify(changes)}, asked was ${show(operation)}`);
    }
    this.#place(operation, revision, true);
  }

  /** The write without an answer that made these changes. */
  #unanswered(changes: readonly Change[]): Operation | undefined {
    for (const { pair } of changes) {
      const sender = pair === undefined ? undefined : this.#senders.get(pair.value);
      if (sender !== undefined) return this.#once(sender, pair!.value);
    }
    if (changes.some(({ pair }) => pair !== undefined)) return undefined;
    const at = this.#lostDeletes.findIndex((operation) => this.#fits(operation, changes));
    return at < 0 ? undefined : this.#lostDeletes.splice(at, 1)[0];
  }

  readonly #seen = new Set<string>();

  #once(operation: Operation, value: string): Operation {
    if (this.#seen.has(value)) this.#say(`carried out twice: ${show(operation)}`);
    this.#seen.add(value);
    return operation;
  }

  /** Whether an operation, carried out on the state before, makes exactly these changes. */
  #fits({ request, answer }: Operation, changes: readonly Change[]): boolean {
    if (request.kind !== "txn") return this.#makes(writesOf(request, answer), changes);
    const holds = request.compares.every(
      ({ key, modRevision }) => (this.#state.get(key)?.modRevision ?? 0) === modRevision,
    );
    if (answer !== undefined && answer.succeeded !== holds) return false;
    return this.#makes(holds ? request.success : request.failure, changes);
  }

  #makes(writes: readonly Write[], changes: readonly Change[]): boolean {
    const made = new Map<string, string | undefined>();
    for (const write of writes) {
      if (write.kind === "put") made.set(write.key, write.value);
      else for (const key of this.#keysIn(write)) made.set(key, undefined);
    }
    return (
      made.size === changes.length &&
      changes.every(({ key, pair }) => made.has(key) && made.get(key) === pair?.value)
    );
  }

  #keysIn(span: { readonly key: string; readonly end?: string }): string[] {
    if (span.end === undefined) return this.#state.has(span.key) ? [span.key] : [];
    return [...this.#state.keys()].filter((key) => isIn(key, span));
  }

  #apply({ key, pair, revision }: Change): void {
    const before = this.#state.get(key);
    if (pair === undefined) {
      if (before === undefined)
        this.#say(`revision ${revision} deleted ${key}, which was not there`);
      this.#state.delete(key);
      return;
    }
    const version = (before?.version ?? 0) + 1;
    const createRevision = before?.createRevision ?? revision;
    if (
      pair.version !== version ||
      pair.createRevision !== createRevision ||
      pair.modRevision !== revision
    ) {
      this.#say(`revision ${revision}: ${JSON.stringify(pair)} follows ${JSON.stringify(before)}`);
    }
    this.#state.set(key, pair);
  }

  #checkRead(operation: Operation): void {
    const { request, answer } = operation;
    const revision = answer!.revision;
    if (request.kind === "txn") {
      if (!this.#fits(operation, [])) this.#say(`a transaction was wrong: ${show(operation)}`);
    } else if (request.kind === "delete") {
      if (this.#keysIn(request).length > 0)
        this.#say(`found nothing to delete: ${show(operation)}`);
    } else if (request.kind === "range") {
      if (request.revision === undefined) this.#checkPairs(operation);
      if (request.isSerializable === true) return;
    }
    this.#place(operation, revision, false);
  }

  #checkPairs(operation: Operation): void {
    const { request, answer } = operation;
    if (request.kind !== "range") return;
    const expected = this.#keysIn(request)
      .sort()
      .map((key) => this.#state.get(key)!);
    const same =
      expected.length === answer!.pairs!.length &&
      expected.every((pair, i) => samePair(pair, answer!.pairs![i]!));
    if (!same) {
      this.#say(`read ${show(operation)}; at that revision it was ${JSON.stringify(expected)}`);
    }
  }

  #place(operation: Operation, revision: number, isWrite: boolean): void {
    this.#placed.push({ operation, revision, isWrite });
  }

  /** What was acknowledged and never told. */
  #checkLost(): void {
    for (const [revision, operation] of this.#writeAt) {
      if (!this.#log.revisions.has(revision)) this.#say(`lost: ${show(operation)}`);
    }
  }

  /** The latest time at which a revision may have been made: somebody knew of it by then. */
  #happenedBy(revision: number): number {
    this.#knownBy ??= knownBy(this.#log, this.#operations);
    return this.#knownBy.get(revision) ?? Number.POSITIVE_INFINITY;
  }

  #knownBy: Map<number, number> | undefined;

  /** Nothing may stand before what had ended when it was called. */
  #checkOrder(): void {
    this.#placed.sort((a, b) => a.revision - b.revision || Number(b.isWrite) - Number(a.isWrite));
    let earliest: Operation | undefined;
    for (let i = this.#placed.length - 1; i >= 0; ) {
      const { revision, isWrite } = this.#placed[i]!;
      let first = i;
      const isEqual = (at: Placed) => at.revision === revision && at.isWrite === isWrite;
      while (first >= 0 && isEqual(this.#placed[first]!)) first--;
      const equals = this.#placed.slice(first + 1, i + 1);
      for (const { operation } of equals) {
        if (earliest !== undefined && operation.calledAt > earliest.endedAt!) {
          this.#say(`stale: ${show(operation)} was called after ${show(earliest)} had ended`);
        }
      }
      for (const { operation } of equals) {
        if (operation.answer === undefined) continue;
        if (earliest === undefined || operation.endedAt! < earliest.endedAt!) earliest = operation;
      }
      i = first;
    }
  }
}

/** For each revision: when at the latest it, or a later one, was known to a client or a watch. */
function knownBy(log: ChangeLog, operations: readonly Operation[]): Map<number, number> {
  const known = new Map(log.knownAt);
  for (const { request, answer, endedAt } of operations) {
    if (answer === undefined || !hasRevision(request)) continue;
    const at = known.get(answer.revision);
    if (at === undefined || endedAt! < at) known.set(answer.revision, endedAt!);
  }
  let earliest = Number.POSITIVE_INFINITY;
  for (let revision = log.last; revision >= log.first; revision--) {
    earliest = Math.min(earliest, known.get(revision) ?? earliest);
    known.set(revision, earliest);
  }
  return known;
}

/** Whether the header's revision is the one at which the request was carried out. */
function hasRevision({ kind }: Request): boolean {
  return kind === "put" || kind === "delete" || kind === "txn" || kind === "range";
}

function changesSomething({ request, answer }: Operation): boolean {
  if (request.kind === "put") return true;
  if (request.kind === "delete") return answer!.deleted! > 0;
  const writes = writesOf(request, answer);
  return writes.some(({ kind }) => kind === "put") || (answer!.deleted ?? 0) > 0;
}

function allWrites(request: Request): readonly Write[] {
  if (request.kind === "txn") return [...request.success, ...request.failure];
  return writesOf(request, undefined);
}

function samePair(a: Pair, b: Pair): boolean {
  return (
    a.key === b.key &&
    a.value === b.value &&
    a.modRevision === b.modRevision &&
    a.createRevision === b.createRevision &&
    a.version === b.version &&
    a.lease === b.lease
  );
}

function show({ by, request, calledAt, endedAt, answer }: Operation): string {
  const time = `${calledAt.toFixed(1)}..${endedAt?.toFixed(1) ?? ""}`;
  return `${by} ${time} ${JSON.stringify(request)} -> ${JSON.stringify(answer ?? null)}`;
}

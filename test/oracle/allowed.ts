/**
 * The only differences from etcd that a comparison forgives. docs/divergence.md holds the same
 * table for readers; whoever changes one changes the other.
 */
import type { AlarmMember, AlarmResponse } from "../lib/api.ts";
import type { LeaseLeasesResponse, LeaseTimeToLiveResponse } from "../lib/api.ts";
import type { KeyValue, RangeRequest, RangeResponse, TxnRequest, TxnResponse } from "../lib/api.ts";
import { RangeRequest_SortTarget as Target, type StatusResponse } from "../lib/api.ts";
import { bytesText } from "./plain.ts";

/** What is forgiven, where, and why. */
export const ALLOWED: Readonly<Record<string, string>> = {
  "StatusResponse.dbSize, dbSizeInUse": "how full pages are is the writer's own affair",
  "StatusResponse.raftIndex, raftAppliedIndex": "a server may log entries of its own",
  "StatusResponse.errors":
    "order: etcd walks a hash map; spaces: Go chooses one or two for each build",
  "AlarmResponse.alarms": "order: etcd walks a hash map",
  "LeaseLeasesResponse.leases": "order: by remaining time, which two clocks do not share",
  "LeaseTimeToLiveResponse.keys": "order: etcd walks a hash map",
  "LeaseTimeToLiveResponse.TTL": "seconds left, read at two moments: may differ by a few",
  "lease ids chosen by the server": "drawn from the server's own counter; compared by position",
  "RangeResponse.kvs": "order among keys with equal sort values, and which of them a limit cuts",
  "probes of HTTP": "order of the checks, and which of two alarms is named: etcd walks a hash map",
  "Date, Connection, Content-Length, Transfer-Encoding": "how a connection is kept is the server's",
  "messages of a watch, blobs of a snapshot": "how much is in one is not promised",
  "status text, no-break space": "Go's protobuf texts hold a space chosen anew for each build",
};

const TTL_SECONDS_APART_MAX = 5n;

const byText = (a: Uint8Array, b: Uint8Array) => (bytesText(a) < bytesText(b) ? -1 : 1);

/** Makes two answers equal in the fields of the table above, in place. */
export function forgive(request: unknown, a: unknown, b: unknown): void {
  const type = (a as { $typeName?: string }).$typeName;
  switch (type) {
    case "etcdserverpb.StatusResponse":
      return forgiveStatus(a as StatusResponse, b as StatusResponse);
    case "etcdserverpb.AlarmResponse":
      for (const answer of [a, b] as AlarmResponse[]) answer.alarms.sort(byMember);
      return;
    case "etcdserverpb.LeaseLeasesResponse":
      for (const answer of [a, b] as LeaseLeasesResponse[]) {
        answer.leases.sort((x, y) => (x.ID < y.ID ? -1 : 1));
      }
      return;
    case "etcdserverpb.LeaseTimeToLiveResponse":
      return forgiveTimeToLive(a as LeaseTimeToLiveResponse, b as LeaseTimeToLiveResponse);
    case "etcdserverpb.RangeResponse":
      return forgiveTies(request as RangeRequest, a as RangeResponse, b as RangeResponse);
    case "etcdserverpb.TxnResponse":
      return forgiveTxn(request as TxnRequest, a as TxnResponse, b as TxnResponse);
  }
}

function forgiveStatus(a: StatusResponse, b: StatusResponse): void {
  a.dbSize = b.dbSize;
  a.dbSizeInUse = b.dbSizeInUse;
  a.raftIndex = b.raftIndex;
  a.raftAppliedIndex = b.raftAppliedIndex;
  for (const answer of [a, b]) {
    answer.errors = answer.errors.map((error) => error.replaceAll(/ +/g, " ")).sort();
  }
}

function byMember(x: AlarmMember, y: AlarmMember): number {
  if (x.memberID !== y.memberID) return x.memberID < y.memberID ? -1 : 1;
  return x.alarm - y.alarm;
}

function forgiveTimeToLive(a: LeaseTimeToLiveResponse, b: LeaseTimeToLiveResponse): void {
  a.keys.sort(byText);
  b.keys.sort(byText);
  const apart = a.TTL > b.TTL ? a.TTL - b.TTL : b.TTL - a.TTL;
  if (a.TTL >= 0n && b.TTL >= 0n && apart <= TTL_SECONDS_APART_MAX) a.TTL = b.TTL;
}

function forgiveTxn(request: TxnRequest, a: TxnResponse, b: TxnResponse): void {
  if (a.succeeded !== b.succeeded || a.responses.length !== b.responses.length) return;
  const ops = a.succeeded ? request.success : request.failure;
  for (const [i, op] of ops.entries()) {
    const [left, right] = [a.responses[i]?.response, b.responses[i]?.response];
    if (left?.case !== right?.case || !left?.value || !right?.value) continue;
    forgive(op.request.value, left.value, right.value);
  }
}

/** What a range sorts by, as text; undefined when the answer does not show it. */
function sortValue(request: RangeRequest, kv: KeyValue): string | undefined {
  switch (request.sortTarget) {
    case Target.VERSION:
      return `${kv.version}`;
    case Target.CREATE:
      return `${kv.createRevision}`;
    case Target.MOD:
      return `${kv.modRevision}`;
    case Target.VALUE:
      return request.keysOnly ? undefined : bytesText(kv.value);
    default:
      return bytesText(kv.key);
  }
}

/** Sorts each run of equal sort values by key; a run that the limit cut keeps only its length. */
function forgiveTies(request: RangeRequest, a: RangeResponse, b: RangeResponse): void {
  if (request.sortTarget === Target.KEY || a.kvs.length !== b.kvs.length) return;
  for (const answer of [a, b]) {
    const runs: KeyValue[][] = [];
    for (const kv of answer.kvs) {
      const run = runs.at(-1);
      if (run && sortValue(request, run[0]!) === sortValue(request, kv)) run.push(kv);
      else runs.push([kv]);
    }
    for (const run of runs) run.sort((x, y) => byText(x.key, y.key));
    answer.kvs = runs.flat();
  }
  if (!a.more || !b.more) return;
  const last = sortValue(request, b.kvs.at(-1)!);
  for (let i = b.kvs.length - 1; i >= 0; i--) {
    const cut = sortValue(request, a.kvs[i]!) === last && sortValue(request, b.kvs[i]!) === last;
    if (!cut) return;
    a.kvs[i] = b.kvs[i]!;
  }
}

/** Status texts with Go's two kinds of space made one. */
export function sameSpaces(text: string): string {
  return text.replaceAll("\u00a0", " ");
}

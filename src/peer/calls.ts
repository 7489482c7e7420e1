import type { Agent } from "node:http";
import { bytesToText, quoteText, textToBytes } from "../base/index.ts";
import type { PeerHash, PeerLease, PeerReply, PeerVersion } from "../member/index.ts";
import { api, decodeMessage, type ErrorName, encodeMessage, fail } from "../proto/index.ts";
import type { Identity } from "./dial.ts";
import { type Call, call, type Reply } from "./call.ts";
import { WRONG_CLUSTER } from "./compatibility.ts";
import { hex, idOf, reasonOf } from "./local.ts";

/** How to reach another member. */
export interface Way {
  /** Each is tried in turn. */
  readonly urls: readonly string[];
  readonly agent?: Agent | undefined;
  readonly identity?: Identity | undefined;
  /** For all of them together. */
  readonly timeoutMs: number;
  readonly dialTimeoutMs: number;
  /** Told of each URL where nobody was reached. */
  readonly failed?: (address: string, error: string) => void;
}

type Question = Pick<Call, "method" | "path" | "fields" | "body" | "bytesMax">;

/** Reads an answer; throws, or returns undefined, where it makes no sense. */
type Read<T> = (reply: Reply) => PeerReply<T> | undefined;

/** Asks at each URL until an answer makes sense. */
async function ask<T>(way: Way, question: Question, read: Read<T>): Promise<PeerReply<T>> {
  const until = performance.now() + way.timeoutMs;
  let reason = "the peer is unknown";
  for (const url of way.urls) {
    try {
      const timeoutMs = Math.max(1, until - performance.now());
      const reply = await call({ ...way, ...question, url, timeoutMs }).catch((error: unknown) => {
        throw notReached(way, question, { url, error });
      });
      const answer = read(reply);
      if (answer !== undefined) return answer;
      reason = `unknown error(${bytesToText(reply.body).trim()})`;
    } catch (error) {
      reason = reasonOf(error);
    }
    if (performance.now() >= until) break;
  }
  return { kind: "unreached", reason };
}

/** As Go's `net/http` tells of a request that had no answer. */
function notReached(
  { failed }: Way,
  { method, path }: Question,
  { url, error }: { readonly url: string; readonly error: unknown },
): Error {
  const address = url.replace(/\/$/, "") + path;
  const verb = method === "GET" ? "Get" : "Post";
  const reason = `${verb} ${quoteText(address)}: ${reasonOf(error)}`;
  failed?.(address, reason);
  return new Error(reason);
}

function refused<T>(name: ErrorName): PeerReply<T> {
  return { kind: "refused", failure: fail(name) };
}

function value<T>(found: T): PeerReply<T> {
  return { kind: "value", value: found };
}

const LEASE_BYTES_MAX = 100 * 1024 * 1024;

export function renewLease(way: Way, lease: bigint): Promise<PeerReply<number>> {
  const body = encodeMessage(api.LeaseKeepAliveRequest, { ID: lease });
  return ask(way, leaseQuestion("/leases", body), ({ status, body: bytes }) => {
    if (status === 404) return refused("leaseNotFound");
    if (status !== 200) return undefined;
    const { ID, TTL } = decodeMessage(api.LeaseKeepAliveResponse, bytes);
    return ID === lease ? value(TTL) : undefined;
  });
}

export function timeToLive(
  way: Way,
  { lease, keys }: { readonly lease: bigint; readonly keys: boolean },
): Promise<PeerReply<PeerLease>> {
  const request = { LeaseTimeToLiveRequest: { ID: lease, keys } };
  const body = encodeMessage(api.LeaseInternalRequest, request);
  return ask(way, leaseQuestion("/leases/internal", body), ({ status, body: bytes }) => {
    if (status === 404) return refused("leaseNotFound");
    if (status !== 200) return undefined;
    const found = decodeMessage(api.LeaseInternalResponse, bytes).LeaseTimeToLiveResponse;
    if (found?.ID !== lease) return undefined;
    return value({ ttlSeconds: found.TTL, grantedSeconds: found.grantedTTL, keys: found.keys });
  });
}

function leaseQuestion(path: string, body: Uint8Array): Question {
  const fields = { "Content-Type": "application/protobuf" };
  return { method: "POST", path, fields, body, bytesMax: LEASE_BYTES_MAX };
}

export function promote(way: Way, learner: bigint): Promise<PeerReply<string>> {
  const question: Question = {
    method: "POST",
    path: `/members/promote/${learner}`,
    body: new Uint8Array(0),
  };
  return ask(way, question, ({ status, body }) => {
    const text = bytesToText(body);
    if (status === 200) return value(text);
    if (status === 408) return refused("timeout");
    if (status === 404) return refused("memberNotFound");
    if (status !== 412) return undefined;
    if (text.includes("can only promote a learner member which is in sync with leader")) {
      return refused("learnerNotReady");
    }
    return text.includes("can only promote a learner member")
      ? refused("memberNotLearner")
      : undefined;
  });
}

export function hashKv(
  way: Way & { readonly clusterId: bigint },
  revision: number,
): Promise<PeerReply<PeerHash>> {
  const question: Question = {
    method: "GET",
    path: "/members/hashkv",
    fields: { "Content-Type": "application/json", "X-Etcd-Cluster-ID": hex(way.clusterId) },
    body: textToBytes(JSON.stringify({ revision })),
  };
  return ask(way, question, ({ status, body }) => {
    const text = bytesToText(body);
    if (status === 200) return value(parseHash(text));
    if (status === 412 && text.includes(WRONG_CLUSTER)) return refused("clusterIdMismatch");
    if (status !== 400) return undefined;
    if (text.includes("mvcc: required revision has been compacted")) return refused("compacted");
    return text.includes("mvcc: required revision is a future revision")
      ? refused("futureRev")
      : undefined;
  });
}

function parseHash(text: string): PeerHash {
  const found = JSON.parse(text) as Record<string, unknown>;
  const header = (found["header"] ?? {}) as Record<string, unknown>;
  return {
    hash: count(found["hash"]),
    compactRevision: count(found["compact_revision"]),
    hashRevision: count(found["hash_revision"]),
    revision: count(header["revision"]),
  };
}

/** A number of JSON; one that is left out is 0. */
function count(found: unknown = 0): number {
  if (typeof found !== "number") throw new Error("not a number");
  return found;
}

/** What the log says of an URL of a member whose version was asked for (etcd: `getVersion`). */
export function notReachedLines(
  lines: { warn(message: string, fields: object): void },
  member: bigint,
): NonNullable<Way["failed"]> {
  return (address, error) => {
    const fields = { address, "remote-member-id": hex(member), error };
    lines.warn("failed to reach the peer URL", fields);
  };
}

export function version(way: Way): Promise<PeerReply<PeerVersion>> {
  return ask(way, { method: "GET", path: "/version" }, ({ status, body }) => {
    if (status !== 200) return undefined;
    const found = JSON.parse(bytesToText(body)) as Record<string, unknown>;
    return value({
      server: text(found["etcdserver"]),
      cluster: text(found["etcdcluster"]),
      storage: text(found["storage"]),
    });
  });
}

function text(found: unknown = ""): string {
  if (typeof found !== "string") throw new Error("not a text");
  return found;
}

/** The members as one of them knows them: `json` is a list as `/members` has it. */
export interface FetchedMembers {
  readonly clusterId: bigint;
  readonly json: string;
}

/** Asks each URL for the members of its cluster. */
export function fetchMembers(way: Way): Promise<PeerReply<FetchedMembers>> {
  return ask(way, { method: "GET", path: "/members" }, (reply) => {
    const clusterId = idOf(reply.field("x-etcd-cluster-id") ?? "");
    const json = bytesToText(reply.body);
    const members: unknown = JSON.parse(json);
    if (clusterId === undefined || !Array.isArray(members)) return undefined;
    return value({ clusterId, json });
  });
}

/** Whether a downgrade is under way, as one of the members knows it. */
export function fetchDowngradeEnabled(way: Way): Promise<PeerReply<boolean>> {
  return ask(way, { method: "GET", path: "/downgrade/enabled" }, ({ body }) => {
    const found = bytesToText(body);
    return found === "true" || found === "false" ? value(found === "true") : undefined;
  });
}

import type { IncomingMessage, ServerResponse } from "node:http";
import { bytesToText } from "../base/index.ts";
import type { PeerReply } from "../member/index.ts";
import { api, decodeMessage, encodeMessage, fail, ProtoError } from "../proto/index.ts";
import { Body } from "./body.ts";
import { WRONG_CLUSTER } from "./compatibility.ts";
import { hex } from "./local.ts";
import { notAllowed, refuse, respond } from "./replies.ts";
import type { Transport } from "./transport.ts";

// What a member answers its peers besides raft (etcd: etcdhttp/peer.go, leasehttp, corrupt.go).
// All of it for itself: nothing is forwarded, so that nothing goes in circles.

const JSON_TYPE = "application/json";
const LEASE_BYTES_MAX = 64 * 1024;
const HASH_BYTES_MAX = 64 * 1024;

type Handler = (
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<void> | void;

/** A failure's text as etcd's own packages have it, without the name that the API puts before. */
function textOf(reply: PeerReply<unknown> & { kind: "refused" | "unreached" }): string {
  return reply.kind === "refused"
    ? reply.failure.message.replace(/^etcdserver: /, "")
    : reply.reason;
}

/** `GET /members`. */
export const members: Handler = ({ local }, request, response) => {
  if (request.method !== "GET") return notAllowed(response, "GET");
  const fields = { "X-Etcd-Cluster-Id": hex(local.clusterId), "Content-Type": JSON_TYPE };
  respond(response, 200, fields, `${local.inbox.membersJson().trimEnd()}\n`);
};

/** `GET /version`. */
export const version: Handler = ({ local }, request, response) => {
  if (request.method !== "GET") return notAllowed(response, "GET");
  const { server, cluster, storage } = local.inbox.version();
  const body = JSON.stringify({ etcdserver: server, etcdcluster: cluster, storage });
  respond(response, 200, { "Content-Type": JSON_TYPE }, body);
};

/** `POST /members/promote/ID`, the id in decimal. */
export async function promote(
  { local }: Transport,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  if (request.method !== "POST") return notAllowed(response, "POST");
  response.setHeader("X-Etcd-Cluster-Id", hex(local.clusterId));
  const text = path.slice("/members/promote/".length);
  const id = /^\d{1,20}$/.test(text) ? BigInt(text) : -1n;
  if (id < 0n || id >= 2n ** 64n) {
    return refuse(response, 404, `member ${text} not found in cluster`);
  }
  const reply = await local.inbox.promote(id);
  if (reply.kind === "value") {
    const body = `${reply.value.trimEnd()}\n`;
    return respond(response, 200, { "Content-Type": JSON_TYPE }, body);
  }
  local.lines.warn("failed to promote a member", { "member-id": hex(id), error: textOf(reply) });
  const failure = reply.kind === "refused" ? reply.failure : undefined;
  if (failure === fail("memberNotFound")) return refuse(response, 404, "membership: ID not found");
  if (failure === fail("memberNotLearner")) {
    return refuse(response, 412, "membership: can only promote a learner member");
  }
  if (failure === fail("learnerNotReady")) return refuse(response, 412, failure.message);
  respond(response, 500, { "Content-Type": JSON_TYPE }, '{"message":"Internal Server Error"}');
}

/** `POST /leases` and `POST /leases/internal`. */
export async function leases(
  { local }: Transport,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  if (request.method !== "POST") return notAllowed(response);
  let body: Uint8Array | undefined;
  try {
    body = await new Body(request, local.readTimeoutMs).whole(LEASE_BYTES_MAX);
  } catch {
    return refuse(response, 400, "error reading body");
  }
  if (body === undefined) {
    return refuse(response, 413, "request body too large", { Connection: "close" });
  }
  let reply: PeerReply<Uint8Array>;
  try {
    reply = await (path === "/leases" ? renew(local, body) : timeToLive(local, body));
  } catch (error) {
    if (!(error instanceof ProtoError)) throw error;
    return refuse(response, 400, "error unmarshalling request");
  }
  if (reply.kind === "value") {
    return respond(response, 200, { "Content-Type": "application/protobuf" }, reply.value);
  }
  if (reply.kind === "unreached") return refuse(response, 408, NOT_CAUGHT_UP);
  if (reply.failure === fail("leaseNotFound")) return refuse(response, 404, "lease not found");
  refuse(response, path === "/leases" ? 400 : 500, textOf(reply));
}

const NOT_CAUGHT_UP = "waiting for node to catch up its applied index has timed out";

async function renew(
  { inbox }: Transport["local"],
  body: Uint8Array,
): Promise<PeerReply<Uint8Array>> {
  const { ID } = decodeMessage(api.LeaseKeepAliveRequest, body);
  const reply = await inbox.renewLease(ID);
  if (reply.kind !== "value") return reply;
  const value = encodeMessage(api.LeaseKeepAliveResponse, { ID, TTL: reply.value });
  return { kind: "value", value };
}

async function timeToLive(
  { inbox }: Transport["local"],
  body: Uint8Array,
): Promise<PeerReply<Uint8Array>> {
  const query = decodeMessage(api.LeaseInternalRequest, body).LeaseTimeToLiveRequest;
  // etcd's handler follows a null pointer there, which closes the connection.
  if (query === undefined) throw new Error("a question without a lease");
  const { ID, keys } = query;
  const reply = await inbox.timeToLive({ lease: ID, keys });
  if (reply.kind !== "value") return reply;
  const { ttlSeconds: TTL, grantedSeconds: grantedTTL, keys: attached } = reply.value;
  const found = { header: {}, ID, TTL, grantedTTL, keys: [...attached] };
  const value = encodeMessage(api.LeaseInternalResponse, { LeaseTimeToLiveResponse: found });
  return { kind: "value", value };
}

/** `GET /members/hashkv` with `{"revision":N}`. */
export const hashKv: Handler = async ({ local }, request, response) => {
  if (request.method !== "GET") return notAllowed(response, "GET");
  const cluster = request.headers["x-etcd-cluster-id"];
  if (cluster && cluster !== hex(local.clusterId)) return refuse(response, 412, WRONG_CLUSTER);
  let body: Uint8Array | undefined;
  try {
    body = await new Body(request, local.readTimeoutMs).whole(HASH_BYTES_MAX);
  } catch {
    return refuse(response, 400, "error reading body");
  }
  const revision = parseRevision(bytesToText(body ?? new Uint8Array(0)));
  if (revision === undefined) return refuse(response, 400, "error unmarshalling request");
  const reply = await local.inbox.hashKv(revision);
  if (reply.kind !== "value") {
    const facts = { "requested-revision": revision, error: textOf(reply) };
    local.lines.warn("failed to get hashKV", facts);
    return refuse(response, 400, textOf(reply));
  }
  const { hash, compactRevision, hashRevision, revision: current } = reply.value;
  const found = {
    header: { revision: current || undefined },
    hash: hash || undefined,
    compact_revision: compactRevision || undefined,
    hash_revision: hashRevision || undefined,
  };
  const fields = { "X-Etcd-Cluster-Id": hex(local.clusterId), "Content-Type": JSON_TYPE };
  respond(response, 200, fields, JSON.stringify(found));
};

/** As Go's `encoding/json` reads it into a struct: names in any case, others ignored. */
function parseRevision(text: string): number | undefined {
  let found: unknown;
  try {
    found = JSON.parse(text, markFractions as (key: string, value: unknown) => unknown);
  } catch {
    return undefined;
  }
  if (found === null) return 0;
  if (typeof found !== "object" || Array.isArray(found)) return undefined;
  const entry = Object.entries(found).findLast(([name]) => name.toLowerCase() === "revision");
  const revision: unknown = entry?.[1] ?? 0;
  return typeof revision === "number" && !Number.isNaN(revision) ? revision : undefined;
}

/** Of numbers only those written as an int64 are taken for one. */
function markFractions(_key: string, value: unknown, { source }: { source?: string }): unknown {
  if (typeof value !== "number" || source === undefined) return value;
  const isInt = /^-?\d+$/.test(source) && BigInt.asIntN(64, BigInt(source)) === BigInt(source);
  return isInt ? value : Number.NaN;
}

/** `GET /downgrade/enabled`. */
export const downgradeEnabled: Handler = async ({ local }, request, response) => {
  if (request.method !== "GET") return notAllowed(response, "GET");
  response.setHeader("X-Etcd-Cluster-Id", hex(local.clusterId));
  const reply = await local.inbox.isDowngradeEnabled();
  if (reply.kind === "value") {
    return respond(response, 200, { "Content-Type": "text/plain" }, String(reply.value));
  }
  const text = reply.kind === "refused" ? reply.failure.message : reply.reason;
  refuse(response, 500, `failed linearized read: ${text}`);
};

import { copyBytes, equalBytes } from "../base/index.ts";
import type { ServerCall } from "../grpc/index.ts";
import { api, CODE, decodeMessage, type Init } from "../proto/index.ts";
import {
  type Caller,
  createdAt,
  everyoneUnder,
  firstUnder,
  memberKey,
  prefixOf,
  Refused,
  refused,
  serveCaller,
  serveRecipe,
  waitForEarlier,
} from "./recipes.ts";
import type { Service } from "./service.ts";

type Header = api.ResponseHeader;

const { PUT } = api.EVENT_TYPE;
const NOT_LEADER = "election: not leader";
const NO_LEADER = "election: no leader";
const NO_LEADER_KEY = '"leader" field must be provided';

/**
 * v3electionpb.Election, by the recipe of etcd's clients: as with a lock, the key created first
 * leads, and its value is what the leader has to say. Source: etcd
 * `server/etcdserver/api/v3election`, `client/v3/concurrency/election.go`.
 */
export function campaign(service: Service, bytes: Uint8Array, call: ServerCall): void {
  const request = decodeMessage(api.CampaignRequest, copyBytes(bytes));
  serveRecipe(service, call, api.CampaignResponse, (caller) => runFor(caller, request));
}

async function runFor(
  caller: Caller,
  { name, value, lease: given }: api.CampaignRequest,
): Promise<Init<api.CampaignResponse>> {
  const lease = await caller.lease(given);
  const prefix = prefixOf(name);
  const key = memberKey(prefix, lease);
  const { header, succeeded, responses } = await caller.txn({
    compare: [createdAt(key, 0)],
    success: [{ requestPut: { key, value, lease } }],
    failure: [{ requestRange: { key } }],
  });
  const before = responses[0]!.responseRange?.kvs[0];
  const rev = before?.createRevision ?? header!.revision;
  const leader: api.LeaderKey = { name, key, rev, lease };
  if (before !== undefined && !equalBytes(before.value, value)) await renew(caller, leader, value);
  try {
    await waitForEarlier(caller, prefix, rev - 1);
  } catch (error) {
    if (caller.hasGone) await tryToResign(caller, leader);
    throw error;
  }
  if (caller.hasGone && succeeded && given === 0n) await tryToResign(caller, leader);
  return { header, leader };
}

/** A candidate who runs again has something else to say. */
async function renew(caller: Caller, leader: api.LeaderKey, value: Uint8Array): Promise<void> {
  try {
    await say(caller, leader, value);
  } catch (error) {
    await tryToResign(caller, leader);
    throw error;
  }
}

export function proclaim(service: Service, bytes: Uint8Array, call: ServerCall): void {
  const { leader, value } = decodeMessage(api.ProclaimRequest, copyBytes(bytes));
  serveRecipe(service, call, api.ProclaimResponse, async (caller) => {
    if (leader === undefined) throw refused(NO_LEADER_KEY);
    const lease = await caller.lease(leader.lease);
    return { header: await say(caller, { ...leader, lease }, value) };
  });
}

async function say(caller: Caller, { key, rev, lease }: api.LeaderKey, value: Uint8Array) {
  const { header, succeeded } = await caller.txn({
    compare: [createdAt(key, rev)],
    success: [{ requestPut: { key, value, lease } }],
  });
  if (!succeeded) throw refused(NOT_LEADER);
  return header;
}

export function resign(service: Service, bytes: Uint8Array, call: ServerCall): void {
  const { leader } = decodeMessage(api.ResignRequest, copyBytes(bytes));
  serveRecipe(service, call, api.ResignResponse, async (caller) => {
    if (leader === undefined) throw refused(NO_LEADER_KEY);
    // A lease of its own is of no use here, but etcd grants one, and an equal store is wanted.
    await caller.lease(leader.lease);
    return { header: await giveUp(caller, leader) };
  });
}

/** Whoever does not lead any more has nothing to give up, and is not refused. */
async function giveUp(caller: Caller, { key, rev }: api.LeaderKey) {
  const { header } = await caller.txn({
    compare: [createdAt(key, rev)],
    success: [{ requestDeleteRange: { key } }],
  });
  return header;
}

/** Makes room for the next one. If that fails, the lease will. */
async function tryToResign(caller: Caller, leader: api.LeaderKey): Promise<void> {
  await giveUp(caller, leader).catch(() => {});
}

export function leader(service: Service, bytes: Uint8Array, call: ServerCall): void {
  const { name } = decodeMessage(api.LeaderRequest, copyBytes(bytes));
  serveRecipe(service, call, api.LeaderResponse, async (caller) => {
    const { header, kvs } = await caller.range(firstUnder(prefixOf(name)));
    if (kvs.length === 0) throw refused(NO_LEADER);
    return { header, kv: kvs[0] };
  });
}

/** Streams the leader whenever there is a new one, or it has something else to say. */
export function observe(service: Service, call: ServerCall): void {
  call.onMessage = (bytes) => {
    const { name } = decodeMessage(api.LeaderRequest, copyBytes(bytes));
    const prefix = prefixOf(name);
    serveCaller(service, call, async (caller) => {
      try {
        for (;;) await follow(caller, await nextLeader(caller, prefix));
      } catch (error) {
        // As with etcd: what keeps it from seeing more ends the stream, and is not told.
        if (!(error instanceof Refused)) throw error;
        call.end({ code: CODE.ok, message: "" });
      }
    });
  };
}

/** Who leads, or the first who will. */
async function nextLeader(
  caller: Caller,
  prefix: Uint8Array,
): Promise<{ header: Header; kv: api.KeyValue }> {
  const { header, kvs } = await caller.range(firstUnder(prefix));
  if (kvs.length > 0) return { header: header!, kv: kvs[0]! };
  const range = { ...everyoneUnder(prefix), startRevision: header!.revision };
  const kv = await caller.watch(range, (event) => (event.type === PUT ? event.kv : undefined));
  return { header: caller.header(kv.modRevision), kv };
}

/** Sends what a leader says until its key is gone. */
async function follow(
  caller: Caller,
  { header, kv }: { readonly header: Header; readonly kv: api.KeyValue },
): Promise<void> {
  caller.send(api.LeaderResponse, { header, kv });
  const range = { key: kv.key, startRevision: header.revision + 1 };
  await caller.watch(range, (event, revision) => {
    if (event.type !== PUT) return true;
    caller.send(api.LeaderResponse, { header: caller.header(revision), kv: event.kv });
    return undefined;
  });
}

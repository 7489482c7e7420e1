import { copyBytes } from "../base/index.ts";
import type { ServerCall } from "../grpc/index.ts";
import { api, decodeMessage, type Init } from "../proto/index.ts";
import {
  type Caller,
  createdAt,
  firstUnder,
  memberKey,
  prefixOf,
  refused,
  serveRecipe,
  waitForEarlier,
} from "./recipes.ts";
import type { Service } from "./service.ts";

/**
 * v3lockpb.Lock, by the recipe of etcd's clients: each puts a key of its own under the lock's name,
 * and the one created first holds the lock, as long as its lease lives. Source: etcd
 * `server/etcdserver/api/v3lock`, `client/v3/concurrency/mutex.go`.
 */
export function lock(service: Service, bytes: Uint8Array, call: ServerCall): void {
  const request = decodeMessage(api.LockRequest, copyBytes(bytes));
  serveRecipe(service, call, api.LockResponse, (caller) => acquire(caller, request));
}

async function acquire(caller: Caller, request: api.LockRequest): Promise<Init<api.LockResponse>> {
  const lease = await caller.lease(request.lease);
  const prefix = prefixOf(request.name);
  const key = memberKey(prefix, lease);
  const owner = { requestRange: firstUnder(prefix) };
  const { header, succeeded, responses } = await caller.txn({
    compare: [createdAt(key, 0)],
    success: [{ requestPut: { key, lease } }, owner],
    failure: [{ requestRange: { key } }, owner],
  });
  const mine = succeeded ? header!.revision : responses[0]!.responseRange!.kvs[0]!.createRevision;
  if (responses[1]!.responseRange!.kvs[0]!.createRevision === mine) {
    if (caller.hasGone && succeeded && request.lease === 0n) await release(caller, key);
    return { header, key };
  }
  try {
    await waitForEarlier(caller, prefix, mine - 1);
    const { header, kvs } = await caller.range({ key });
    if (kvs.length > 0) return { header, key };
  } catch (error) {
    await release(caller, key);
    throw error;
  }
  throw refused("mutex: session is expired");
}

/** Makes room for the next one. If that fails, the lease will. */
async function release(caller: Caller, key: Uint8Array): Promise<void> {
  await caller.delete(key).catch(() => {});
}

export function unlock(service: Service, bytes: Uint8Array, call: ServerCall): void {
  const { key } = decodeMessage(api.UnlockRequest, copyBytes(bytes));
  serveRecipe(service, call, api.UnlockResponse, async (caller) => {
    const { header } = await caller.delete(key);
    return { header };
  });
}

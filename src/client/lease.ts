import { setTimeout as sleep } from "node:timers/promises";
import { api } from "../proto/index.ts";
import { type MessageStream, streaming, unary } from "./call.ts";
import type { Client } from "./client.ts";
import { StatusError } from "./transport.ts";

/** Calls on leases. */
export const lease = {
  grant: unary(
    "/etcdserverpb.Lease/LeaseGrant",
    api.LeaseGrantRequest,
    api.LeaseGrantResponse,
    "repeatable",
  ),
  revoke: unary(
    "/etcdserverpb.Lease/LeaseRevoke",
    api.LeaseRevokeRequest,
    api.LeaseRevokeResponse,
    "repeatable",
  ),
  timeToLive: unary(
    "/etcdserverpb.Lease/LeaseTimeToLive",
    api.LeaseTimeToLiveRequest,
    api.LeaseTimeToLiveResponse,
    "repeatable",
  ),
  leases: unary(
    "/etcdserverpb.Lease/LeaseLeases",
    api.LeaseLeasesRequest,
    api.LeaseLeasesResponse,
    "repeatable",
  ),
  keepAlive: streaming(
    "/etcdserverpb.Lease/LeaseKeepAlive",
    api.LeaseKeepAliveRequest,
    api.LeaseKeepAliveResponse,
  ),
} as const;

type KeepAliveStream = MessageStream<api.LeaseKeepAliveRequest, api.LeaseKeepAliveResponse>;

const RECONNECT_MS = 500;

/** Renews a lease once. Rejects with `StatusError`; a TTL of 0 says that the lease is gone. */
export async function keepAliveOnce(
  client: Client,
  id: bigint,
): Promise<api.LeaseKeepAliveResponse> {
  const stream = await client.stream(lease.keepAlive);
  try {
    stream.send({ ID: id });
    const answer = await stream.next();
    if (answer !== undefined) return answer;
    throw new StatusError(2, "EOF");
  } finally {
    stream.end();
    stream.cancel();
  }
}

/**
 * Renews a lease every third of its TTL, over as many connections as it takes, and yields each
 * answer. Ends when the lease is gone, when no answer came for as long as it could live, or when
 * the signal says so.
 */
export async function* keepAlive(
  client: Client,
  id: bigint,
  firstTimeoutMs: number,
  signal?: AbortSignal,
): AsyncGenerator<api.LeaseKeepAliveResponse, void> {
  let aliveUntil = performance.now() + firstTimeoutMs;
  let stream: KeepAliveStream | undefined;
  try {
    while (performance.now() < aliveUntil && signal?.aborted !== true) {
      const answer: api.LeaseKeepAliveResponse | undefined = await withTimeout(
        renew((stream ??= await client.stream(lease.keepAlive, { requireLeader: true })), id),
        aliveUntil - performance.now(),
        signal,
      ).catch(() => undefined);
      if (answer === undefined) {
        stream?.cancel();
        stream = undefined;
        await pause(Math.min(RECONNECT_MS, Math.max(0, aliveUntil - performance.now())), signal);
        continue;
      }
      if (answer.TTL <= 0) return;
      aliveUntil = performance.now() + answer.TTL * 1_000;
      yield answer;
      await pause((answer.TTL * 1_000) / 3, signal);
    }
  } finally {
    stream?.cancel();
  }
}

async function renew(
  stream: KeepAliveStream,
  id: bigint,
): Promise<api.LeaseKeepAliveResponse | undefined> {
  stream.send({ ID: id });
  return stream.next();
}

async function withTimeout<T>(
  work: Promise<T>,
  ms: number,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  const timeout = new AbortController();
  const either = signal === undefined ? [timeout.signal] : [timeout.signal, signal];
  const late = pause(Math.max(0, ms), AbortSignal.any(either)).then(() => undefined);
  return Promise.race([work, late]).finally(() => timeout.abort());
}

/** Sleeps, and less when the signal comes. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {});
}

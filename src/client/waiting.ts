import { api, CODE, type Init } from "../proto/index.ts";
import type { Client } from "./client.ts";
import { kv, prefixEnd } from "./kv.ts";
import { StatusError } from "./transport.ts";
import { type WatchAnswer, Watcher } from "./watch.ts";

const DELETE = 1;

/** Thrown when a wait is given up from outside. */
export const canceled = (): StatusError => new StatusError(CODE.canceled, "context canceled");

/** The first key with this prefix by the revision of its creation: whoever came first. */
export function oldestOf(prefix: Uint8Array): Init<api.RangeRequest> {
  return {
    key: prefix,
    rangeEnd: prefixEnd(prefix),
    limit: 1,
    sortOrder: api.SORT_ORDER.ASCEND,
    sortTarget: api.SORT_TARGET.CREATE,
  };
}

/** The answers to one watch, until it ends or the signal says so. */
export async function* watchUntil(
  client: Client,
  request: Init<api.WatchCreateRequest>,
  signal: AbortSignal,
): AsyncGenerator<WatchAnswer, void> {
  const watcher = new Watcher(client);
  const close = () => watcher.close();
  signal.addEventListener("abort", close, { once: true });
  try {
    if (!signal.aborted) yield* watcher.watch(request);
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

/**
 * Waits until no key with this prefix is left that was created at the revision or before. Each
 * waits for the one before it only, so that a release wakes one and not all.
 */
export async function waitForOlder(
  client: Client,
  prefix: Uint8Array,
  createdMax: number,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const { header, kvs } = await client.call(kv.range, {
      ...oldestOf(prefix),
      sortOrder: api.SORT_ORDER.DESCEND,
      maxCreateRevision: createdMax,
    });
    if (kvs.length === 0) return;
    await waitForDelete(client, kvs[0]!.key, header?.revision ?? 0, signal);
  }
}

async function waitForDelete(
  client: Client,
  key: Uint8Array,
  startRevision: number,
  signal: AbortSignal,
): Promise<void> {
  for await (const answer of watchUntil(client, { key, startRevision }, signal)) {
    if (answer.events.some(({ type }) => type === DELETE)) return;
    if (answer.error !== undefined) throw new StatusError(CODE.unknown, answer.error);
  }
  throw canceled();
}

import type { Life } from "./life.ts";
import {
  compact,
  grant,
  put,
  putOp,
  remove,
  removeOp,
  type Request,
  revoke,
  txn,
} from "./requests.ts";

const LONG = "x".repeat(300);
const KEPT = 7n;
const REVOKED = 8n;
const EXPIRING = 9n;

/** Of everything some, in few file calls. */
export async function script(life: Life): Promise<void> {
  await life.askAll([grant(KEPT, 600), grant(REVOKED, 600), grant(EXPIRING, 1)]);
  await life.askAll([put("a/1", "first", KEPT), put("a/2", "first", REVOKED), put("b", "first")]);
  await life.ask(put("c", "to be gone", EXPIRING));
  await life.ask(
    txn({
      compare: [compareVersion("b", 1)],
      success: [putOp("b", "second"), putOp("b/1", "with it"), removeOp("a/2")],
      failure: [putOp("b", "wrong")],
    }),
  );
  await life.askAll(puts("d", 8, ""));
  await life.ask(remove("d/", "d/4"));
  await life.ask(put("a/3", "on a lease that is there", REVOKED));
  await life.askAll([revoke(REVOKED), put("a/4", "too late", REVOKED)]);
  const { store } = life.member.state;
  await life.ask(compact(store.currentRevision - 2));
  await life.askAll(puts("e", 4, LONG));
  const streaming = life.snapshot(3).catch(() => undefined);
  for (let wave = 0; wave < 2; wave++) {
    await life.askAll(puts(`f/${wave}`, 9, LONG));
    await life.time.sleep(10);
  }
  await streaming;
  await life.ask(compact(store.currentRevision - 5));
  await life.member.compacted(store.currentRevision - 5);
  await life.member.defragment();
  for (let wave = 0; wave < 2; wave++) await life.askAll(puts(`g/${wave}`, 7, LONG));
  // The lease's time, and what it takes to notice.
  await life.time.sleep(1600);
  await life.askAll(puts("h", 4, ""));
}

function puts(prefix: string, count: number, padding: string): Request[] {
  return Array.from({ length: count }, (_, i) => put(`${prefix}/${i}`, `${i}${padding}`));
}

function compareVersion(key: string, version: number) {
  return { key: new TextEncoder().encode(key), target: 0, result: 0, version };
}

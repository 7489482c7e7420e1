/** Boots what is left and holds all of it against the ledger. */
import assert from "node:assert/strict";
import { bytesToKey, bytesToText, concatBytes } from "../../../src/base/index.ts";
import { toEnd } from "../../../src/base/testing.ts";
import type { State } from "../../../src/apply/index.ts";
import type { KeyValue } from "../../../src/mvcc/index.ts";
import { readWal, walExists } from "../../../src/disk/index.ts";
import { api, decodeMessage } from "../../../src/proto/index.ts";
import { decodeSnapFile, snapFileName } from "../../../src/wal/index.ts";
import { DIR } from "../data-dir.ts";
import type { Disk } from "../disk.ts";
import { DiskCalls, type Fault } from "../disk-calls.ts";
import { hashOf } from "./fresh-replay.ts";
import type { Ledger } from "./ledger.ts";
import { type Life, live, type Outcome } from "./life.ts";
import type { Change, Pair } from "../model.ts";
import { put } from "./requests.ts";
import { SimTime } from "./time.ts";

/**
 * The next life on a disk: it must begin, have all that was promised and nothing else, and take a
 * write. Throws otherwise. With a fault it may end before that.
 */
export async function examine(options: {
  disk: Disk;
  ledger: Ledger;
  seed: number;
  fault?: Fault;
}): Promise<Outcome> {
  const { disk, ledger, fault, seed } = options;
  if (seed % 3 === 0) await checkSnapFiles(disk);
  const outcome = await live({
    ...options,
    work: async (life) => {
      check(life, ledger);
      // The dearest of all checks: now and then.
      if (seed % 3 === 0) checkHashes(life, ledger);
      await life.ask(put("alive", `life ${ledger.lives}`));
      await life.member.committed();
      checkPages(life);
      ledger.settle();
    },
  });
  if (fault === undefined && outcome.end !== "stopped") throw outcome.error;
  return outcome;
}

/** The state in memory is that of the model after the last entry. */
export function check({ member }: Life, ledger: Ledger): void {
  const { state } = member;
  ledger.settle();
  const { model } = ledger;
  assert.equal(state.appliedIndex, ledger.lastIndex, "entries were applied once and are gone");
  assert.equal(state.store.currentRevision, model.revision);
  assert.equal(Math.max(0, state.store.compactedRevision), model.compacted);
  assert.deepEqual(changesOf(state), model.history);
  const pairs = pairsOf(state);
  assert.deepEqual(pairs, new Map([...model.pairs].toSorted(byName)));
  assert.deepEqual(leasesOf(state, pairs), new Map([...model.leases].toSorted(byName)));
}

/** HashKV, and the hashes of compactions, are those of a new replay of all entries. */
export function checkHashes({ member }: Life, ledger: Ledger): void {
  const { store } = member.state;
  const replay = ledger.replay();
  assert.deepEqual(hashOf(store), replay.hash());
  const known = replay.state.store.compactionHashes();
  for (const hash of store.compactionHashes()) {
    const same = known.find(({ hashRevision }) => hashRevision === hash.hashRevision);
    if (same !== undefined) assert.deepEqual(hash, same);
  }
}

/** The log's last snapshot position has its file, for those who read it. */
async function checkSnapFiles(disk: Disk): Promise<void> {
  const time = new SimTime(0);
  const calls = new DiskCalls({ disk, time, seed: 0, fault: undefined, onEnd: () => {} });
  if (!(await time.run(walExists(calls, DIR.wal)))) return;
  const { snapshot } = await time.run(readWal(calls, DIR.wal));
  if (snapshot.index === 0) return;
  const file = disk.file(`${DIR.snap}/${snapFileName(snapshot.term, snapshot.index)}`);
  const bytes = new Uint8Array(file.size);
  file.read(bytes, 0);
  assert.equal(decodeSnapFile(bytes).meta.index, snapshot.index);
}

/** The newest commit of the page file is sound. */
export function checkPages({ member }: Pick<Life, "member">): void {
  const pages = member.db.check();
  toEnd(pages.run());
  assert.deepEqual(pages.problems, []);
}

function changesOf({ store }: State): Change[] {
  const changes: Change[] = [];
  const scan = store.scan(Math.max(0, store.compactedRevision) + 1);
  while (scan.next()) {
    const { main, sub, key, tombstone } = scan;
    changes.push({
      main,
      sub,
      key: bytesToKey(key),
      pair: tombstone ? undefined : pairOf(scan.pair),
    });
  }
  return changes;
}

function pairsOf({ store }: State): Map<string, Pair> {
  const range = toEnd(store.range({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) }));
  assert.ok(typeof range !== "string", "the current revision can be read");
  const { kvs } = decodeMessage(api.RangeResponse, concatBytes(range.kvs.chunks));
  assert.equal(range.count, kvs.length);
  return new Map(kvs.map((kv) => [bytesToKey(kv.key), pairOf(kv)]));
}

function pairOf({ createRevision, modRevision, version, value, lease }: KeyValue): Pair {
  const [create, mod] = [createRevision, modRevision];
  return { create, mod, version, value: bytesToText(value), lease };
}

/** Leases with their times to live; the keys that hang on them are those that say so. */
function leasesOf({ lessor }: State, pairs: ReadonlyMap<string, Pair>): Map<bigint, number> {
  const leases = toEnd(lessor.ids()).map((id) => lessor.get(id)!);
  for (const { id, keys } of leases) {
    const attached = [...pairs].filter(([, pair]) => pair.lease === id).map(([key]) => key);
    assert.deepEqual([...keys].toSorted(), attached);
  }
  return new Map(leases.map(({ id, ttlSeconds }) => [id, ttlSeconds] as const).toSorted(byName));
}

function byName<K extends string | bigint>([a]: readonly [K, unknown], [b]: readonly [K, unknown]) {
  return a < b ? -1 : a > b ? 1 : 0;
}

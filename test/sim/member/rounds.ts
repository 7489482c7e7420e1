/** Lives of a member that do things at random and end at random, one after the other on one disk. */
import assert from "node:assert/strict";
import { Prng } from "../../../src/base/index.ts";
import { drawSurvival, newDisk } from "../data-dir.ts";
import type { Disk } from "../disk.ts";
import type { Fault, How } from "../disk-calls.ts";
import { check, checkHashes, checkPages } from "./examine.ts";
import { hashOf, openImage } from "./fresh-replay.ts";
import { Ledger } from "./ledger.ts";
import { type End, type Life, live } from "./life.ts";
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

/** Lives on one disk; then a new one begins, so that what is checked stays small. */
const LIVES = 15;
const KEYS = 40;
const LEASES = 5;

/** Lives end by a fault more often than not. */
const FATES: readonly (How | undefined)[] = [
  "cut",
  "cut",
  "cut",
  "killed",
  "killed",
  "EIO",
  "ENOSPC",
  "full",
  "short",
  undefined,
  undefined,
];

export interface Totals {
  readonly ends: Record<End, number>;
  promises: number;
  entries: number;
}

/** Runs so many lives. Throws, with the seed of the world, when a promise is broken. */
export async function runRounds(options: { rounds: number; seed: number }): Promise<Totals> {
  const totals = { ends: { stopped: 0, died: 0, killed: 0, cut: 0 }, promises: 0, entries: 0 };
  for (let from = 0; from < options.rounds; from += LIVES) {
    const seed = options.seed + from;
    try {
      await runWorld(seed, Math.min(LIVES, options.rounds - from), totals);
    } catch (error) {
      throw new Error(`--rounds ${LIVES} --seed ${seed}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  return totals;
}

async function runWorld(seed: number, lives: number, totals: Totals): Promise<void> {
  const random = new Prng(seed);
  const ledger = new Ledger();
  let disk = newDisk();
  for (let round = 0; round < lives; round++) {
    const fault = drawFault(random);
    const work = (life: Life) => liveAtRandom(life, ledger, random);
    const seed = random.next();
    const { end, error } = await live({ disk, ledger, seed, work, ...(fault && { fault }) });
    if (end === "died" && fault === undefined) throw error;
    totals.ends[end]++;
    if (end === "cut") disk = disk.afterPowerLoss(drawSurvival(random));
  }
  await examineWorld(disk, ledger, random);
  totals.promises += ledger.promises;
  totals.entries += ledger.lastIndex;
}

async function examineWorld(disk: Disk, ledger: Ledger, random: Prng): Promise<void> {
  const work = async (life: Life) => {
    check(life, ledger);
    checkHashes(life, ledger);
    checkPages(life);
  };
  const { end, error } = await live({ disk, ledger, seed: random.next(), work });
  if (end !== "stopped") throw error;
}

function drawFault(random: Prng): Fault | undefined {
  const how = FATES[random.below(FATES.length)];
  // Some within the start, most behind it.
  return how && { nth: 1 + random.below(random.oneIn(4) ? 30 : 110), how };
}

/** Sees that all is as it must be, then does this and that. */
async function liveAtRandom(life: Life, ledger: Ledger, random: Prng): Promise<void> {
  check(life, ledger);
  checkHashes(life, ledger);
  const draw = new Draw(random, life, ledger.lives);
  const images: Promise<void>[] = [];
  for (let waves = 2 + random.below(14); waves > 0; waves--) {
    const requests = Array.from({ length: 1 + random.below(14) }, () => draw.request());
    const asked = life.askAll(requests);
    if (random.oneIn(15)) images.push(checkImage(life, ledger, random.below(10)));
    if (random.oneIn(4)) await life.read();
    if (random.oneIn(3)) await life.time.sleep(random.below(60));
    if (!random.oneIn(4)) await asked;
    if (random.oneIn(30)) await life.time.sleep(2000);
  }
  await Promise.all(images);
}

/** An image of the page file is the store as it was at some revision since it was asked for. */
async function checkImage(life: Life, ledger: Ledger, pauseMs: number): Promise<void> {
  const { store } = life.member.state;
  const before = store.currentRevision;
  const bytes = await life.snapshot(pauseMs).catch(() => undefined);
  if (bytes === undefined) return;
  const image = openImage(bytes).state.store;
  assert.ok(image.currentRevision >= before, "the image is older than what was asked for");
  const replay = ledger.replay();
  const { currentRevision: revision, compactedRevision } = image;
  // At the revision of a compaction the hash is the one which that compaction made.
  if (compactedRevision !== replay.state.store.compactedRevision) return;
  if (compactedRevision === revision) return;
  assert.deepEqual(hashOf(image, revision), replay.hash(revision));
}

/** Draws requests that meet: few keys, few leases. */
class Draw {
  readonly #random: Prng;
  readonly #life: Life;
  /** In all values, so that no two are alike. */
  readonly #name: string;
  #count = 0;

  constructor(random: Prng, life: Life, name: number) {
    this.#random = random;
    this.#life = life;
    this.#name = `${name}`;
  }

  request(): Request {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 60) return put(this.#key(), this.#value(), this.#lease());
    if (dice < 68) return remove(this.#key());
    if (dice < 71) return remove(this.#key(), this.#key());
    if (dice < 87) return this.#txn();
    if (dice < 92) return grant(BigInt(1 + random.below(LEASES)), 1 + random.below(4));
    if (dice < 95) return revoke(BigInt(1 + random.below(LEASES)));
    const revision = this.#life.member.state.store.currentRevision - random.below(30);
    return compact(Math.max(1, revision));
  }

  #txn(): Request {
    const random = this.#random;
    const compare = { key: Buffer.from(this.#key()), target: 0, version: random.below(3) };
    const keys = new Set([this.#key(), this.#key(), this.#key()]);
    const success = [...keys].map((key) =>
      random.oneIn(4) ? removeOp(key) : putOp(key, this.#value(), this.#lease()),
    );
    const failure = [removeOp(this.#key(), this.#key()), putOp(this.#key(), this.#value())];
    return txn({ compare: random.oneIn(3) ? [] : [compare], success, failure });
  }

  #key(): string {
    return `k/${this.#random.below(KEYS)}`;
  }

  #value(): string {
    const bytes = [0, 0, 20, 300, this.#random.oneIn(8) ? 6000 : 700][this.#random.below(5)]!;
    return `${this.#name}-${this.#count++}-${"v".repeat(bytes)}`;
  }

  #lease(): bigint {
    return BigInt(this.#random.oneIn(6) ? 1 + this.#random.below(LEASES) : 0);
  }
}

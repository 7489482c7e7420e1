import { deferred } from "../../../src/base/index.ts";
import type { Member } from "../../../src/member/index.ts";
import { Logger } from "../../../src/observe/index.ts";
import { bootIn } from "../../../src/server/boot.ts";
import { type Config, makeConfig } from "../../../src/server/config.ts";
import { parseFlags } from "../../../src/server/flags.ts";
import { DIR, isOfDisk } from "../data-dir.ts";
import type { Disk } from "../disk.ts";
import { DiskCalls, type Fault } from "../disk-calls.ts";
import type { Ledger } from "./ledger.ts";
import { answerOf, type Request } from "./requests.ts";
import { SimTime } from "./time.ts";

/** Small, so that everything that happens once in a while happens soon. */
export const CONFIG: Config = {
  ...makeConfig(parseFlags(["--name", "sim"], {})),
  electionMs: 500,
  batchIntervalMs: 40,
  batchOperationsMax: 60,
  snapshotEntries: 25,
  snapshotCatchUpEntries: 5,
  snapshotsMax: 2,
  walsMax: 2,
  pageCacheBytes: 32 * 1024,
};
export const SEGMENT_BYTES = 4 * 1024;
export const PAGE_GROWTH_BYTES = 8 * 1024;

const LOGGER = new Logger({ level: "fatal" });

/** How a life ended: in peace, by what it said was fatal, or without having been asked. */
export type End = "stopped" | "died" | "killed" | "cut";

export interface Outcome {
  readonly end: End;
  readonly error: unknown;
  readonly calls: DiskCalls;
}

/** A member that serves, as its clients see it. */
export class Life {
  readonly member: Member;
  readonly time: SimTime;
  readonly #ledger: Ledger;

  constructor(member: Member, time: SimTime, ledger: Ledger) {
    this.member = member;
    this.time = time;
    this.#ledger = ledger;
  }

  /** Proposes a request. Resolves to whether it was answered, which the ledger then holds. */
  ask({ field, bytes }: Request): Promise<boolean> {
    const { promise, resolve } = deferred<boolean>();
    this.member.propose(field, bytes, {
      settle: (applied) => {
        const index = this.member.state.appliedIndex;
        this.#ledger.promise({ index, field, request: bytes, answer: answerOf(field, applied) });
        resolve(true);
      },
      fail: () => resolve(false),
    });
    return promise;
  }

  /** A linearizable read: it must see everything that was answered before it was asked for. */
  async read(): Promise<void> {
    const { lastPromised } = this.#ledger;
    const failure = await this.member.caughtUp();
    const { appliedIndex } = this.member.state;
    if (failure !== undefined || appliedIndex >= lastPromised) return;
    this.#ledger.break(`a read saw entry ${appliedIndex}, and not ${lastPromised}`);
  }

  /** All at once: they share writes of the log. */
  async askAll(requests: readonly Request[]): Promise<void> {
    await Promise.all(requests.map((request) => this.ask(request)));
  }

  /** An image of the page file, read while everything else goes on. */
  async snapshot(pauseMs: number): Promise<Uint8Array> {
    const image = await this.member.openSnapshot();
    const bytes = new Uint8Array(image.sizeBytes);
    try {
      for (let at = 0; at < bytes.length; ) {
        const part = await image.read(Math.min(16 * 1024, bytes.length - at));
        bytes.set(part, at);
        at += part.length;
        await this.time.sleep(pauseMs);
      }
      return bytes;
    } finally {
      image.close();
    }
  }
}

/**
 * Runs a member on a disk: boots it, lets `work` use it and stops it, unless it dies before, or the
 * power fails. The disk is left as that leaves it; see `Disk.afterPowerLoss`. Throws what is wrong:
 * broken promises, and deaths of anything but a file call.
 */
export async function live(options: {
  disk: Disk;
  ledger: Ledger;
  seed: number;
  fault?: Fault;
  work: (life: Life) => Promise<void>;
}): Promise<Outcome> {
  const { disk, ledger, seed, fault, work } = options;
  const time = new SimTime(seed);
  const ended = deferred<{ end: End; error: unknown }>();
  const calls = new DiskCalls({
    disk,
    time,
    seed,
    fault,
    onEnd: (end) => ended.resolve({ end, error: undefined }),
  });
  const die = (error: unknown) => {
    calls.end();
    ended.resolve({ end: "died", error });
  };
  const liveOn = async () => {
    const life = await begin({ time, calls, ledger, seed, die });
    await work(life);
    await life.member.stop();
    ended.resolve({ end: "stopped", error: undefined });
  };
  liveOn().catch(die);
  const { end, error } = await time.run(ended.promise);
  calls.end();
  if (ledger.broken !== undefined) throw ledger.broken;
  if (end === "died" && !isOfDisk(error)) throw error;
  return { end, error, calls };
}

/** As `serve` does it, without the servers. */
async function begin(world: {
  time: SimTime;
  calls: DiskCalls;
  ledger: Ledger;
  seed: number;
  die: (error: unknown) => void;
}): Promise<Life> {
  const { time, calls, ledger, seed, die } = world;
  let revision = 0;
  const { member, store } = await bootIn(
    DIR,
    {
      config: CONFIG,
      logger: LOGGER,
      onRevision: (changes) => {
        if (changes.revision !== revision + 1) {
          ledger.break(`revision ${changes.revision} was told after ${revision}`);
        }
        revision = changes.revision;
      },
      flush: () => {},
      onFatal: die,
    },
    {
      io: calls,
      lock: async () => {},
      time,
      // Every life has seconds of its own.
      wallMs: () => 1_700_000_000_000 + ledger.lives++ * 1000,
      random: (bound) => seed % bound,
      segmentBytes: SEGMENT_BYTES,
      pageGrowthBytes: PAGE_GROWTH_BYTES,
    },
  );
  revision = store.currentRevision;
  ledger.observe(member);
  const life = new Life(member, time, ledger);
  member.start();
  const reads = Promise.all([life.read(), time.sleep(1).then(() => life.read())]);
  await member.publish({ name: CONFIG.name, clientUrls: CONFIG.advertiseClientUrls });
  await member.versionKnown();
  await reads;
  return life;
}

/**
 * Puts from a thread of their own, so that nothing the benchmark reads meanwhile delays them: at a
 * rate until told to stop, or a number of them one after the other.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { PUT, putRequest } from "./bench-calm-data.ts";
import { Wire } from "./bench-calm-wire.ts";

interface Job {
  readonly endpoint: string;
  /** The beginning of the keys; a number follows. */
  readonly prefix: string;
  readonly valueBytes: number;
  /** Keys that are put in turn. */
  readonly keys: number;
  /** Puts a second, whether answered or not. Without: each waits for the one before. */
  readonly perSecond?: number;
  /** How many; without, until `stop`. */
  readonly count?: number;
}

/** What became of the puts. */
export interface Puts {
  /** In the order of sending, milliseconds. */
  readonly latenciesMs: readonly number[];
}

/** Puts under way. */
export interface Putting {
  /** All are answered. Ends those without a count. */
  stop(): Promise<Puts>;
  /** The count is reached. */
  readonly done: Promise<Puts>;
}

/** Begins to put; resolves when the first was answered. */
export async function startPuts(job: Job): Promise<Putting> {
  const worker = new Worker(new URL(import.meta.url), { workerData: job });
  const done = new Promise<Puts>((resolve, reject) => {
    worker.on("message", (message: Puts | "begun") => {
      if (message !== "begun") resolve(message);
    });
    worker.on("error", reject);
  });
  await Promise.race([once(worker, "message"), done]);
  return {
    done,
    stop: () => {
      worker.postMessage("stop", []);
      return done;
    },
  };
}

/** Puts done before the first one counts: the connection, and code that is yet to be compiled. */
const WARM_UP = 20;

async function work(job: Job): Promise<void> {
  const wire = await Wire.connect(job.endpoint);
  const value = new Uint8Array(job.valueBytes).fill(0x77);
  const key = (i: number) => new TextEncoder().encode(`${job.prefix}${i % job.keys}`);
  let isStopped = false;
  parentPort!.on("message", () => (isStopped = true));
  for (let i = 0; i < WARM_UP; i++) await wire.unary(PUT, putRequest(UNWATCHED, value));
  parentPort!.postMessage("begun", []);
  const latenciesMs: number[] = [];
  const put = async (i: number) => {
    const sentAt = performance.now();
    await wire.unary(PUT, putRequest(key(i), value));
    latenciesMs[i] = performance.now() - sentAt;
  };
  const underWay: Promise<void>[] = [];
  const beganAt = performance.now();
  for (let i = 0; i !== job.count && !isStopped; i++) {
    if (job.perSecond === undefined) await put(i);
    else {
      underWay.push(put(i));
      const dueAt = beganAt + ((i + 1) * 1000) / job.perSecond;
      await sleep(Math.max(0, dueAt - performance.now()));
    }
  }
  await Promise.all(underWay);
  parentPort!.postMessage({ latenciesMs } satisfies Puts, []);
  parentPort!.close();
  wire.close();
}

/** A key in nobody's range. */
const UNWATCHED = new TextEncoder().encode("calm-warm-up");

if (!isMainThread && parentPort !== null) await work(workerData as Job);

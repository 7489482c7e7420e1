import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { MemoryPort } from "../rpc/index.ts";

/** Requests that need more than this are the heavy ones: they are the first to be refused. */
const LIGHT_BYTES = 64 * 1024;
/** Shares of the limit that heavy and light requests may fill, as resident memory. */
const HEAVY_SHARE = 0.7;
const LIGHT_SHARE = 0.85;
/** How old a measurement may be: it is a read of a file of the kernel's. */
const SAMPLE_MS = 100;
/** Time between two lines of the log about refusals. */
const REPORT_MS = 10_000;
/** Share of the limit that the page cache may take. */
const CACHE_SHARE = 1 / 8;

export interface MemoryGaugeOptions {
  /** Bytes; infinite when there is no limit. */
  readonly limitBytes: number;
  readonly residentBytes?: () => number;
  readonly now?: () => number;
  /** Told of refusals, with what is to be said of them, now and then. */
  readonly onScarce?: (fields: object) => void;
}

/** Compares what the process has resident with what it may have, and says what still fits. */
export class MemoryGauge implements MemoryPort {
  readonly limitBytes: number;
  readonly #residentBytes: () => number;
  readonly #now: () => number;
  readonly #onScarce: (fields: object) => void;
  #sampledAt = Number.NEGATIVE_INFINITY;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #used = 0;
  /** Requests refused so far. */
  shed = 0;

  constructor(options: MemoryGaugeOptions) {
    this.limitBytes = options.limitBytes;
    this.#residentBytes = options.residentBytes ?? process.memoryUsage.rss;
    this.#now = options.now ?? (() => performance.now());
    this.#onScarce = options.onScarce ?? (() => {});
  }

  /** The page cache that fits, of one that was asked for. */
  cacheBytes(wanted: number): number {
    return Math.min(wanted, Math.floor(this.limitBytes * CACHE_SHARE));
  }

  admits(bytes: number): boolean {
    if (this.limitBytes === Number.POSITIVE_INFINITY) return true;
    const share = bytes > LIGHT_BYTES ? HEAVY_SHARE : LIGHT_SHARE;
    if (this.#sample() + bytes <= share * this.limitBytes) return true;
    this.shed++;
    this.#report();
    return false;
  }

  #report(): void {
    const now = this.#now();
    if (now - this.#reportedAt < REPORT_MS) return;
    this.#reportedAt = now;
    const { limitBytes, shed } = this;
    this.#onScarce({ "resident-bytes": this.#used, "limit-bytes": limitBytes, refused: shed });
  }

  #sample(): number {
    const now = this.#now();
    if (now - this.#sampledAt >= SAMPLE_MS) {
      this.#sampledAt = now;
      this.#used = this.#residentBytes();
    }
    return this.#used;
  }
}

/** Above this a limit of version 1 means that there is none. */
const LIMIT_BYTES_MAX = 2 ** 60;

/**
 * The memory that the control groups of this process let it have, in bytes: the least limit on the
 * way from its own group to the root, under either version of the interface; infinite without one.
 */
export function cgroupLimitBytes(root = "/"): number {
  const lines = read(join(root, "proc/self/cgroup")).split("\n");
  let least = Number.POSITIVE_INFINITY;
  for (const line of lines) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const isV2 = controllers === "";
    if (!isV2 && !controllers!.split(",").includes("memory")) continue;
    const base = join(root, isV2 ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
    const file = isV2 ? "memory.max" : "memory.limit_in_bytes";
    least = Math.min(least, leastLimit(base, path, file));
  }
  return least;
}

/** In a container the path may be one of the host, of which only the root can be seen. */
function leastLimit(base: string, path: string, file: string): number {
  let least = Number.POSITIVE_INFINITY;
  const names = path.split("/").filter((name) => name !== "");
  for (let depth = names.length; depth >= 0; depth--) {
    const text = read(join(base, ...names.slice(0, depth), file)).trim();
    if (/^\d+$/.test(text) && Number(text) < LIMIT_BYTES_MAX) least = Math.min(least, Number(text));
  }
  return least;
}

/** The file, or nothing where there is none. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

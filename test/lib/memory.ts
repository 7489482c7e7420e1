/** Memory of a process as Linux counts it, in MiB. */
import { readFileSync, writeFileSync } from "node:fs";

export interface Memory {
  /** VmRSS: all that is resident. */
  readonly rss: number;
  /** VmHWM: the highest since the start or since `resetPeak`. */
  readonly peak: number;
  /** RssAnon: of it, what is not a file's. */
  readonly anonymous: number;
}

export function memoryMib(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const mib = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) / 1024;
  return { rss: mib("VmRSS"), peak: mib("VmHWM"), anonymous: mib("RssAnon") };
}

/** From now on the peak is that of what comes (proc(5), `clear_refs`). */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

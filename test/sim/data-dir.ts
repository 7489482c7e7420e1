/** A member's data directory on a disk in memory. */
import type { Prng } from "../../src/base/index.ts";
import { dataDirPaths, DiskError } from "../../src/disk/index.ts";
import { Disk, type Survives } from "./disk.ts";

export const DIR = dataDirPaths({ dataDir: "/data", walDir: "" });

/** A data directory with nothing in it. */
export function newDisk(): Disk {
  const disk = new Disk();
  for (const path of ["/data", "/data/member", DIR.snap]) disk.place(path);
  return disk;
}

/** What outlasts a power loss: everything, nothing, or each with the same chance. */
export function drawSurvival(random: Prng): Survives {
  const chance = random.below(5);
  return () => random.below(4) < chance;
}

/** What a member may die of: a file call that failed. */
export function isOfDisk(error: unknown): boolean {
  return error instanceof DiskError || (error instanceof Error && "syscall" in error);
}

import { readdir, readFile } from "node:fs/promises";

/** How many files this process may open; undefined where there is no /proc. */
export async function fileLimit(): Promise<number | undefined> {
  const limits = await readFile("/proc/self/limits", "latin1").catch(() => "");
  const found = /^Max open files\s+(\d+)/m.exec(limits);
  return found === null ? undefined : Number(found[1]);
}

/** How many files it has open. */
export async function openFiles(): Promise<number | undefined> {
  const names = await readdir("/proc/self/fd").catch(() => undefined);
  // Reading the directory opens one more.
  return names && names.length - 1;
}

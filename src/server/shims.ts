import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";

const LAUNCHERS = { etcd: "quord", etcdctl: "quordctl", etcdutl: "quordutl" };

/** `quord shims DIR`: launchers under etcd's names, so that its scripts run unchanged. */
export async function writeShims(args: readonly string[]): Promise<void> {
  const [directory, ...rest] = args;
  if (directory === undefined || rest.length > 0) throw new Error("usage: quord shims DIR");
  await mkdir(directory, { recursive: true });
  const bin = join(import.meta.dirname, "..", "bin");
  for (const [name, command] of Object.entries(LAUNCHERS)) {
    const path = join(directory, name);
    await writeFile(path, `#!/bin/sh\nexec '${quote(join(resolve(bin), command))}' "$@"\n`);
    await chmod(path, 0o755);
  }
}

/** Text inside single quotes of a shell. */
function quote(text: string): string {
  return text.replaceAll("'", `'\\''`);
}

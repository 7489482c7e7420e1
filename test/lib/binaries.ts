/** Where the programs under test and their real peers lie. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** A server under test: ours, or the original it must equal. */
export type Kind = "quord" | "etcd";

/** The checkout. */
export const ROOT = resolve(import.meta.dirname, "../..");
/** What builds the real peers, outside the package. */
const BUILD_SCRIPT = resolve(ROOT, "../shared/interop/build.sh");
const SKIPPED = "skipped: real etcd not found; run ../shared/interop/build.sh";

/** The folder that holds (or would hold) etcd, etcdctl, etcdutl, bbolt and benchmark. */
export function interopBin(): string {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return process.env["QUORD_INTEROP_BIN"] || join(cache, "quord-interop", "bin");
}

/** Path of a real peer, or undefined where it was never built. */
export function peer(name: string): string | undefined {
  const path = join(interopBin(), name);
  return existsSync(path) ? path : undefined;
}

/** Exit code of a command that could not run for want of a real peer: neither success nor failure. */
export const EXIT_SKIPPED = 77;

/** Path of a real peer; where it is missing the whole command says so and ends as skipped. */
export function needPeer(name: string): string {
  const path = peer(name);
  if (path !== undefined) return path;
  console.log(SKIPPED);
  process.exit(EXIT_SKIPPED);
}

/** Builds the peers where the build script and Go are at hand. Returns whether they are there. */
export function buildPeers(): boolean {
  if (!existsSync(BUILD_SCRIPT)) return peer("etcd") !== undefined;
  try {
    execFileSync("sh", [BUILD_SCRIPT, resolve(interopBin(), "..")], { stdio: "inherit" });
  } catch {
    return peer("etcd") !== undefined;
  }
  return true;
}

/**
 * The server program of a kind. QUORD_BIN names another program in quord's place: with etcd's own,
 * a comparison must find nothing, which proves the comparison itself.
 */
export function serverProgram(kind: Kind): string {
  if (kind === "etcd") return needPeer("etcd");
  return process.env["QUORD_BIN"] || join(ROOT, "bin", "quord");
}

/** The client program of a kind; QUORDCTL_BIN as QUORD_BIN above. */
export function ctlProgram(kind: Kind): string {
  if (kind === "etcd") return needPeer("etcdctl");
  return process.env["QUORDCTL_BIN"] || join(ROOT, "bin", "quordctl");
}

/** The file tool of a kind; QUORDUTL_BIN as QUORD_BIN above. */
export function utlProgram(kind: Kind): string {
  if (kind === "etcd") return needPeer("etcdutl");
  return process.env["QUORDUTL_BIN"] || join(ROOT, "bin", "quordutl");
}

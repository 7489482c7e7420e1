/**
 * `npm run interop`: builds the real peers (etcd, etcdctl, etcdutl, bbolt, the load generator,
 * h2spec, and an etcd of 3.6) into a cache folder, once. Needs Go, its module proxy and the shared
 * folder beside the checkout.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildPeers, EXIT_SKIPPED, interopBin, peer } from "../test/lib/binaries.ts";

const OLDER = "v3.6.16";

/** etcd of the minor version before ours, for clusters that mix both. */
function buildOlder(): void {
  if (peer("etcd-3.6") !== undefined) return;
  const dir = join(interopBin(), "..", "etcd-3.6");
  const server = "go.etcd.io/etcd/server/v3";
  mkdirSync(dir, { recursive: true });
  const module = `module quord.interop/older\n\ngo 1.24.0\n\nrequire ${server} ${OLDER}\n`;
  writeFileSync(join(dir, "go.mod"), module);
  const args = ["build", "-mod=mod", "-o", join(interopBin(), "etcd-3.6"), server];
  try {
    execFileSync("go", args, { cwd: dir, stdio: "inherit" });
  } catch {
    process.stdout.write("interop: etcd 3.6 could not be built; what needs it is skipped\n");
  }
}

if (buildPeers()) {
  buildOlder();
  process.stdout.write(`interop: ${interopBin()}\n`);
} else {
  process.stdout.write("interop: skipped, it needs Go and ../shared/interop\n");
  process.exit(EXIT_SKIPPED);
}

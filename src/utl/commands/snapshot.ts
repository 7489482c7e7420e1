import { join } from "node:path";
import {
  boolFlag,
  EXIT,
  Exit,
  formatBytes,
  offering,
  stringFlag,
  uintFlag,
} from "../../cli/index.ts";
import { checkExists } from "../database.ts";
import { foundCluster } from "../bootstrap.ts";
import { define, defineSub } from "../define.ts";
import { checkTargets, restore as restoreSnapshot } from "../restore.ts";
import { snapshotStatus } from "../status.ts";

/** Kept for scripts: nothing is mapped into memory here. */
const MEMORY_MAP_BYTES = 10 * 1024 ** 3;

const restore = defineSub({
  use: "restore <filename> --data-dir {output dir} [options]",
  short: "Restores an etcd member snapshot to an etcd directory",
  flags: {
    "data-dir": offering("directories", stringFlag("Path to the output data directory")),
    "wal-dir": offering(
      "directories",
      stringFlag("Path to the WAL directory (use --data-dir if none given)"),
    ),
    "initial-cluster": stringFlag(
      "Initial cluster configuration for restore bootstrap",
      "default=http://localhost:2380",
    ),
    "initial-cluster-token": stringFlag(
      "Initial cluster token for the etcd cluster during restore bootstrap",
      "etcd-cluster",
    ),
    "initial-advertise-peer-urls": stringFlag(
      "List of this member's peer URLs to advertise to the rest of the cluster",
      "http://localhost:2380",
    ),
    name: stringFlag("Human-readable name for this member", "default"),
    "skip-hash-check": boolFlag(
      "Ignore snapshot integrity hash value (required if copied from data directory)",
    ),
    "initial-memory-map-size": uintFlag(
      "Initial memory map size of the database in bytes. It uses the default value if not " +
        "defined or defined to 0",
      MEMORY_MAP_BYTES,
    ),
    "bump-revision": uintFlag("How much to increase the latest revision after restore"),
    "mark-compacted": boolFlag(
      "Mark the latest revision after restore as the point of scheduled compaction (required if " +
        "--bump-revision > 0, disallowed otherwise)",
    ),
  },
  run: async ({ args, context: utl }, flags) => {
    if (args.length !== 1) badArgs("snapshot restore requires exactly one argument");
    const revisionBump = flags["bump-revision"];
    if (revisionBump > 0 !== flags["mark-compacted"]) {
      badArgs("--mark-compacted required if --revision-bump > 0");
    }
    const dataDir = flags["data-dir"] === "" ? `${flags.name}.etcd` : flags["data-dir"];
    const walDir = flags["wal-dir"] === "" ? join(dataDir, "member", "wal") : flags["wal-dir"];
    const skipHashCheck = flags["skip-hash-check"];
    const options = { snapshotPath: args[0]!, dataDir, walDir, skipHashCheck, revisionBump };
    const founding = await foundCluster(utl, {
      name: flags.name,
      initialCluster: flags["initial-cluster"],
      token: flags["initial-cluster-token"],
      advertisedPeerUrls: flags["initial-advertise-peer-urls"].split(","),
    });
    await checkTargets(options);
    const where = {
      path: args[0],
      "wal-dir": walDir,
      "data-dir": dataDir,
      "snap-dir": join(dataDir, "member", "snap"),
      "initial-memory-map-size": flags["initial-memory-map-size"],
    };
    utl.log("snapshot/v3_snapshot.go:306", "restoring snapshot", where);
    await restoreSnapshot(utl, options, founding);
    utl.log("snapshot/v3_snapshot.go:334", "restored snapshot", where);
  },
});

function badArgs(message: string): never {
  throw new Exit(EXIT.badArgs, message);
}

const status = defineSub({
  use: "status <filename>",
  short: "Gets backend snapshot status of a given file",
  run: async ({ args, context: utl }) => {
    if (args.length !== 1) badArgs("snapshot status requires exactly one argument");
    await checkExists(args[0]!);
    utl.checkFormat();
    const found = await snapshotStatus(utl, args[0]!);
    const { hash, revision, totalKey, totalSize, version } = found;
    const row = [
      hash.toString(16),
      String(revision),
      String(totalKey),
      formatBytes(totalSize),
      version,
    ];
    utl.show({
      simple: (page) => page.line(row.join(", ")),
      fields: (lines) => {
        lines.add("Hash", hash);
        lines.add("Revision", revision);
        lines.add("Keys", totalKey);
        lines.add("Size", totalSize);
        lines.add("Version", version);
      },
      json: () => found,
      table: () => ({
        header: ["hash", "revision", "total keys", "total size", "version"],
        rows: [row],
      }),
    });
  },
});

export const snapshot = define({
  use: "snapshot <subcommand>",
  commands: [restore, status],
});

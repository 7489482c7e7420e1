import { join } from "node:path";
import type { Db } from "../../bolt/index.ts";
import {
  boolFlag,
  EXIT,
  Exit,
  GoTextError,
  offering,
  required,
  stringFlag,
} from "../../cli/index.ts";
import { commitTo, withPages } from "../../disk/index.ts";
import { changeDatabase, databasePath, type OpenDatabase } from "../database.ts";
import { define } from "../define.ts";
import {
  detectVersion,
  isBelow,
  isSame,
  migrationSteps,
  SCHEMA_3_5,
  type SchemaVersion,
  parseTarget,
  shortText,
  storedText,
  storeVersion,
} from "../schema.ts";
import type { Utl } from "../utl.ts";
import { versionForLog } from "../wal-version.ts";

export const migrate = define({
  use: "migrate",
  flags: {
    "data-dir": offering("directories", required(stringFlag("Path to the etcd data dir"))),
    "target-version": required(
      stringFlag(
        "Target etcd version to migrate contents of data dir. Minimal value 3.5. " +
          'Format "X.Y" for example 3.6.',
      ),
    ),
    force: boolFlag(
      "Ignore migration failure and forcefully override storage version. Not recommended.",
    ),
  },
  run: async ({ context: utl }, flags) => {
    const target = targetOf(flags["target-version"]);
    const dataDir = flags["data-dir"];
    await changeDatabase(utl, databasePath(dataDir), (opened) =>
      migrateDatabase(utl, opened, { dataDir, target, isForced: flags.force }),
    );
  },
});

function targetOf(text: string): SchemaVersion {
  try {
    const target = parseTarget(text);
    if (!isBelow(target, SCHEMA_3_5)) return target;
    const short = shortText(target);
    throw new Exit(EXIT.badArgs, `target version "${short}" not supported. Minimal "3.5"`);
  } catch (error) {
    if (!(error instanceof GoTextError)) throw error;
    throw new Exit(EXIT.badArgs, `failed to parse target version: ${error.message}`);
  }
}

interface Migration {
  readonly dataDir: string;
  readonly target: SchemaVersion;
  readonly isForced: boolean;
}

/** Brings the database to another version, and says each step of the way. Throws `Exit`. */
async function migrateDatabase(
  utl: Utl,
  { file, db }: OpenDatabase,
  { dataDir, target, isForced }: Migration,
): Promise<void> {
  const current = await withPages(file, () => currentVersion(utl, db));
  if (isSame(current, target)) {
    const version = { "storage-version": shortText(target) };
    utl.log("etcdutl/migrate_command.go:138", "storage version up-to-date", version);
    return;
  }
  const needed = await versionNeeded(utl, join(dataDir, "member", "wal"));
  try {
    for (const step of planned(utl, current, target, needed)) {
      await withPages(file, () => storeVersion(db.bucket("meta"), step));
      const version = { "new-storage-version": storedText(step) };
      utl.log("schema/migration.go:65", "updated storage version", version);
    }
  } catch (error) {
    if (!isForced || !(error instanceof Exit)) throw error;
    const reason = { error: error.message };
    utl.log("etcdutl/migrate_command.go:152", "normal migrate failed, trying with force", reason);
    await withPages(file, () => force(utl, db, target));
  }
  await commitTo(file, db);
}

function currentVersion(utl: Utl, db: Db): SchemaVersion {
  try {
    return detectVersion(db.bucket("meta"));
  } catch (error) {
    if (error instanceof Exit) {
      utl.error(
        "etcdutl/migrate_command.go:134",
        "failed to detect storage version. Please make sure you are using data dir from etcd v3.5 and older",
      );
    }
    throw error;
  }
}

async function versionNeeded(utl: Utl, walDir: string): Promise<SchemaVersion | undefined> {
  try {
    return await versionForLog(walDir);
  } catch (error) {
    if (error instanceof Exit) {
      const reason = { error: error.message };
      utl.error("etcdutl/migrate_command.go:143", "Failed to finalize config", reason);
    }
    throw error;
  }
}

function planned(
  utl: Utl,
  current: SchemaVersion,
  target: SchemaVersion,
  needed: SchemaVersion | undefined,
): SchemaVersion[] {
  if (current.major !== target.major) {
    utl.error("schema/migration.go:33", "Changing major storage version is not supported", {
      "storage-version": storedText(current),
      "target-storage-version": storedText(target),
    });
  }
  const steps = migrationSteps(current, target);
  if (!isBelow(target, current) || needed === undefined || !isBelow(target, needed)) return steps;
  throw new Exit(
    EXIT.error,
    "cannot downgrade storage, WAL contains newer entries, as the target version " +
      `(${storedText(target)}) is lower than the version (${storedText(needed)}) detected from WAL logs`,
  );
}

function force(utl: Utl, db: Db, target: SchemaVersion): void {
  const caller = "etcdutl/migrate_command.go";
  if (storeVersion(db.bucket("meta"), target)) {
    const version = { "storage-version": shortText(target) };
    utl.warn(`${caller}:168`, "forcefully set storage version", version);
  } else {
    utl.warn(`${caller}:165`, "forcefully cleared storage version");
  }
}

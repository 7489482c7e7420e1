import { bytesToText, textToBytes } from "../base/index.ts";
import type { Bucket } from "../bolt/index.ts";
import { EXIT, Exit, parseInt64 } from "../cli/index.ts";

/**
 * The version of the form in which a member stores its state. Releases name it in the database from
 * 3.6 on, and refuse one that is not theirs or the one before.
 */
export interface SchemaVersion {
  readonly major: number;
  readonly minor: number;
}

/** The first version that is told from any older one, and the first that is stored. */
export const SCHEMA_3_5: SchemaVersion = { major: 3, minor: 5 };
const FIRST_STORED: SchemaVersion = { major: 3, minor: 6 };
/** Versions that a database can be brought to from the one before. */
const KNOWN_MINORS = new Set([6, 7]);

const STORED_UNDER = textToBytes("storageVersion");

export const isBelow = (a: SchemaVersion, b: SchemaVersion) =>
  a.major < b.major || (a.major === b.major && a.minor < b.minor);

export const isSame = (a: SchemaVersion, b: SchemaVersion) =>
  a.major === b.major && a.minor === b.minor;

/** Of the form of `versionOf` in the cluster's room: 3007 for 3.7. */
export const schemaVersion = (version: number): SchemaVersion => ({
  major: Math.floor(version / 1000),
  minor: version % 1000,
});

/** As it is stored: `3.7.0`. */
export const storedText = ({ major, minor }: SchemaVersion) => `${major}.${minor}.0`;

/** As users say it: `3.7`. */
export const shortText = ({ major, minor }: SchemaVersion) => `${major}.${minor}`;

/** Reads a version of the form `X.Y`; throws `GoTextError`, or `Exit` for any other form. */
export function parseTarget(text: string): SchemaVersion {
  if (text.split(".").length !== 2) {
    refuse(`wrong target version format, expected "X.Y", got "${text}"`);
  }
  const numbers = text.split(/[-+]/, 1)[0]!;
  if (numbers !== text)
    refuse(`failed to parse target version: ${numbers} is not in dotted-tri format`);
  const [major, minor] = text.split(".").map((part) => Number(parseInt64(part, 10)));
  return { major: major!, minor: minor! };
}

function refuse(message: string): never {
  throw new Exit(EXIT.badArgs, message);
}

/** The version of a database. Throws `Exit` when it has none: it is from before 3.5. */
export function detectVersion(meta: Bucket): SchemaVersion {
  const stored = storedVersion(meta);
  if (stored !== undefined) return stored;
  const term = meta.get(textToBytes("term"));
  if (term === undefined || term.every((byte) => byte === 0)) {
    throw new Exit(EXIT.error, "missing term information");
  }
  return SCHEMA_3_5;
}

function storedVersion(meta: Bucket): SchemaVersion | undefined {
  const stored = meta.get(STORED_UNDER);
  const match = /^(\d+)\.(\d+)\.\d+/.exec(stored === undefined ? "" : bytesToText(stored));
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

/**
 * The versions to go through from one to another, the last one included. The steps are few: all
 * that ever changed is that 3.6 stores its version. Throws `Exit`.
 */
export function migrationSteps(from: SchemaVersion, to: SchemaVersion): SchemaVersion[] {
  if (from.major !== to.major) cannotPlan("changing major storage version is not supported");
  const steps: SchemaVersion[] = [];
  const { major } = from;
  for (let { minor } = from; minor !== to.minor; ) {
    const higher = minor < to.minor ? minor + 1 : minor;
    if (major !== 3 || !KNOWN_MINORS.has(higher)) {
      cannotPlan(`version "${storedText({ major, minor: higher })}" is not supported`);
    }
    minor += minor < to.minor ? 1 : -1;
    steps.push({ major, minor });
  }
  return steps;
}

function cannotPlan(reason: string): never {
  throw new Exit(EXIT.error, `cannot create migration plan: ${reason}`);
}

/** Names the version in the database, or no longer names one. Returns whether it does. */
export function storeVersion(meta: Bucket, version: SchemaVersion): boolean {
  const isStored = !isBelow(version, FIRST_STORED);
  if (isStored) meta.put(STORED_UNDER, textToBytes(storedText(version)));
  else meta.delete(STORED_UNDER);
  return isStored;
}

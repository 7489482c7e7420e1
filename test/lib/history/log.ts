/** The order of all changes, put together from what watches were told; and whether each kept its word. */
import { type Change, isIn, type Watched } from "./types.ts";

/** All changes by revision, without holes from `first` to `last`. */
export class ChangeLog {
  readonly revisions = new Map<number, readonly Change[]>();
  first = Number.POSITIVE_INFINITY;
  last = 0;
  /** When somebody was told of a revision first. */
  readonly knownAt = new Map<number, number>();

  add(revision: number, changes: readonly Change[], at: number): void {
    const known = this.revisions.get(revision);
    if (known === undefined || changes.length > known.length) this.revisions.set(revision, changes);
    this.knownAt.set(revision, Math.min(at, this.knownAt.get(revision) ?? at));
    this.first = Math.min(this.first, revision);
    this.last = Math.max(this.last, revision);
  }

  *[Symbol.iterator](): Generator<readonly [number, readonly Change[]]> {
    for (let revision = this.first; revision <= this.last; revision++) {
      const changes = this.revisions.get(revision);
      if (changes !== undefined) yield [revision, changes];
    }
  }
}

export type Say = (text: string) => void;

/** The log that all watches agree on. What they disagree on is said, and so are its holes. */
export function mergeWatches(watches: readonly Watched[], say: Say): ChangeLog {
  const log = new ChangeLog();
  for (const { messages } of watches) {
    for (const { changes, at } of messages) {
      for (const [revision, group] of byRevision(changes)) log.add(revision, group, at);
    }
  }
  for (let revision = log.first; revision <= log.last; revision++) {
    if (!log.revisions.has(revision)) say(`nobody was told of revision ${revision}`);
  }
  for (const watched of watches) checkWatch(watched, log, say);
  return log;
}

function byRevision(changes: readonly Change[]): Map<number, Change[]> {
  const groups = new Map<number, Change[]>();
  for (const change of changes) {
    const group = groups.get(change.revision);
    if (group === undefined) groups.set(change.revision, [change]);
    else group.push(change);
  }
  return groups;
}

/** etcd's guarantees: ordered, unique, atomic, reliable and resumable; a bookmark tells no lie. */
function checkWatch(watched: Watched, log: ChangeLog, say: Say): void {
  const { by } = watched;
  let told = watched.from - 1;
  for (const { changes, bookmark } of watched.messages) {
    for (const [revision, group] of byRevision(changes)) {
      if (revision <= told) {
        say(`${by}: revision ${revision} came after ${told}`);
        continue;
      }
      for (let missed = told + 1; missed < revision; missed++) {
        if (concerns(log, missed, watched)) say(`${by}: revision ${missed} was left out`);
      }
      checkGroup(watched, group, log, say);
      told = revision;
    }
    if (bookmark === undefined) continue;
    for (let missed = told + 1; missed <= Math.min(bookmark, log.last); missed++) {
      if (concerns(log, missed, watched)) say(`${by}: bookmark ${bookmark} overtook ${missed}`);
    }
    told = Math.max(told, bookmark);
  }
}

function concerns(log: ChangeLog, revision: number, watched: Watched): boolean {
  return (log.revisions.get(revision) ?? []).some(({ key }) => isIn(key, watched));
}

function checkGroup(watched: Watched, group: readonly Change[], log: ChangeLog, say: Say): void {
  const revision = group[0]!.revision;
  const expected = log.revisions.get(revision)!.filter(({ key }) => isIn(key, watched));
  const show = (changes: readonly Change[]) => JSON.stringify(changes.map(withoutRevision));
  if (show(sorted(group)) !== show(sorted(expected))) {
    say(`${watched.by}: revision ${revision} is ${show(group)}, others saw ${show(expected)}`);
  }
}

const withoutRevision = ({ key, pair }: Change) => [key, pair ?? null];

function sorted(changes: readonly Change[]): Change[] {
  return changes.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

/**
 * Bugs that others had, planted into the sources as they are loaded. The simulation must find each
 * of them; `npm run sim -- --planted` shows that it does.
 */

export interface Plant {
  readonly name: string;
  /** What goes wrong, and where that was seen: an issue of etcd, or a rule of raft. */
  readonly what: string;
  readonly edits: readonly {
    /** Below src/. */
    readonly file: string;
    /** Text that is there exactly once. */
    readonly find: string;
    readonly replace: string;
  }[];
}

/** A bug that takes one edit. */
function plant(name: string, what: string, file: string, find: string, replace: string): Plant {
  return { name, what, edits: [{ file, find, replace }] };
}

const RAFT_PLANTS: readonly Plant[] = [
  plant(
    "vote-before-sync",
    "a vote is told before it is durable (thesis §3.8)",
    "raft/raft.ts",
    "        this.messagesAfterAppend.push({ ...m, from });",
    "        (m.to === this.id ? this.messagesAfterAppend : this.messages).push({ ...m, from });",
  ),
  plant(
    "ack-before-sync",
    "entries are acknowledged before they are durable",
    "raft/raft.ts",
    "        this.messagesAfterAppend.push({ ...m, from, term: this.term });",
    "        (m.to === this.id ? this.messagesAfterAppend : this.messages).push({ ...m, from, " +
      "term: this.term });",
  ),
  plant(
    "vote-forgotten",
    "a restart forgets whom the member voted for",
    "raft/raft.ts",
    "    this.vote = vote;",
    "",
  ),
  plant(
    "old-term-counted",
    "entries of an earlier term are committed by counting (paper §5.4.2)",
    "raft/log.ts",
    "    if (index <= this.committed || !this.matches({ index, term })) return false;",
    "    if (index <= this.committed) return false;",
  ),
  plant(
    "log-not-compared",
    "a vote is given to a candidate whose log is behind (paper §5.4.1)",
    "raft/log.ts",
    "    return theirs.term > ours.term || (theirs.term === ours.term && theirs.index >= ours.index);",
    "    return theirs.term >= ours.term;",
  ),
  plant(
    "half-is-enough",
    "half of the voters count as a majority",
    "raft/quorum.ts",
    "  return indices[count >> 1]!;",
    "  return indices[(count - 1) >> 1]!;",
  ),
  plant(
    "read-without-quorum",
    "a read is answered by a leader that asks nobody (etcd #20418)",
    "raft/leader.ts",
    '  if (raft.config.readOnly === "leaseBased") {\n    answerRead',
    "  if (raft.term > 0) {\n    answerRead",
  ),
  plant(
    "commit-past-match",
    "a follower commits what the leader has not compared with it",
    "raft/log.ts",
    "    this.commitTo(Math.min(committed, last));",
    "    this.commitTo(Math.min(committed, this.lastIndex));",
  ),
];

const STATE_PLANTS: readonly Plant[] = [
  plant(
    "applied-twice",
    "entries that the page file has are applied again after a restart",
    "apply/state.ts",
    "    if (!isNew) return this.#finish(entry, NOTHING);",
    "",
  ),
  plant(
    "index-before-data",
    "the page file says an entry is in it that is not (etcd #13766)",
    "apply/state.ts",
    "      this.#meta.put(CONSISTENT_INDEX, writeU64(this.appliedIndex));",
    "      this.#meta.put(CONSISTENT_INDEX, writeU64(this.appliedIndex + 1));",
  ),
  plant(
    "meta-before-pages",
    "a commit's meta page is written while its pages are not durable",
    "disk/page-file.ts",
    "      await this.#sync();\n      await this.#writeAt(commit.meta",
    "      await this.#writeAt(commit.meta",
  ),
  plant(
    "log-not-synced",
    "the log is written and not synced (etcd #14370)",
    "disk/segment-file.ts",
    "WRITES_ARE_SYNCED ? constants.O_DSYNC : 0",
    "0",
  ),
  {
    name: "revision-goes-back",
    what: "compaction removes the newest record, and a restart counts on from less (etcd #17780)",
    edits: [
      {
        file: "mvcc/key-index.ts",
        find: "rows.isTombstone(row) && rows.main(row) < revision",
        replace: "rows.isTombstone(row)",
      },
      {
        file: "mvcc/restore.ts",
        find: "Math.max(restoring.newestMain, state.compactedRevision, scheduled, 1)",
        replace: "Math.max(restoring.newestMain, 1)",
      },
    ],
  },
  plant(
    "tombstone-dropped",
    "compaction at the revision of a deletion removes what a watch from there must be told " +
      "(etcd #18089)",
    "mvcc/key-index.ts",
    "rows.isTombstone(row) && rows.main(row) < revision",
    "rows.isTombstone(row)",
  ),
  plant(
    "compaction-races-range",
    "a compaction removes what a range is reading",
    "mvcc/compaction.ts",
    "    while (this.#state.isPinnedBefore(job.revision)) yield undefined;\n",
    "",
  ),
  plant(
    "watch-skips-at-resync",
    "a watcher whose client did not read misses the revision at which it fell behind",
    "mvcc/watch.ts",
    "        this.#fallBehind(watcher, revision);\n        continue;",
    "        this.#fallBehind(watcher, revision + 1);\n        continue;",
  ),
  plant(
    "watch-repeats-at-resync",
    "a watcher that has caught up is told its last revision again",
    "mvcc/watch.ts",
    "    watcher.next = Math.max(watcher.next, portion.end);",
    "    watcher.next = Math.max(watcher.next, portion.end - 1);",
  ),
  plant(
    "lease-not-extended",
    "a new leader counts leases from where it knew them last",
    "lease/lessor.ts",
    "      lease.expiresAt = now + extendMs + secondsToLive(lease) * 1000;",
    "      lease.expiresAt = now + 300;",
  ),
  plant(
    "lease-keys-forgotten",
    "keys that a restart attaches to their leases stay when these end",
    "mvcc/restore.ts",
    "    attach(state.index.keys.key(slot), lease);\n",
    "",
  ),
];

export const PLANTS: readonly Plant[] = [...RAFT_PLANTS, ...STATE_PLANTS];

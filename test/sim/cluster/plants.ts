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
    "minority-is-enough",
    "one voter less than a majority counts as one",
    "raft/quorum.ts",
    "  return indices[count >> 1]!;",
    "  return indices[(count >> 1) - 1]!;",
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
    "a follower commits what the leader has not compared with it (paper §5.3)",
    "raft/log.ts",
    "    this.commitTo(Math.min(committed, last));",
    "    this.commitTo(Math.min(committed, this.lastIndex));",
  ),
  plant(
    "votes-twice",
    "a member votes for whoever asks while it knows no leader (paper §5.2)",
    "raft/election.ts",
    "    (raft.vote === NONE && raft.lead === NONE) ||",
    "    raft.lead === NONE ||",
  ),
  plant(
    "conflict-kept",
    "a follower keeps what another leader's entries should replace (paper §5.3)",
    "raft/log.ts",
    "      if (existing === term) continue;",
    "      if (existing !== undefined) continue;",
  ),
  plant(
    "vote-not-synced",
    "a hard state with a new vote is written and not synced",
    "raft/raw-node.ts",
    "entries.length > 0 || this.#changesVote(hardState)",
    "entries.length > 0",
  ),
  plant(
    "read-before-own-term",
    "a new leader answers reads before it knows what is committed (thesis §6.4)",
    "raft/leader.ts",
    "  } else if (committedInTerm(raft)) {\n    startRead",
    "  } else if (raft.term > 0) {\n    startRead",
  ),
  plant(
    "snapshot-without-conf-state",
    "a follower that gets a snapshot goes on with the configuration that it had",
    "raft/follower.ts",
    "  raft.restoreConfiguration(confState);\n",
    "",
  ),
  plant(
    "learner-votes",
    "a member that joins as a learner gets a vote at once",
    "raft/confchange.ts",
    "else if (type === CONF_CHANGE_TYPE.addLearner) this.#makeLearner(",
    "else if (type === CONF_CHANGE_TYPE.addLearner) this.#makeVoter(",
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
    what: "compaction removes the newest record, and a restart counts from less (etcd #17780)",
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
  plant(
    "revoke-by-deposed",
    "a leader that was paused has another one revoke what was renewed there (etcd #15247)",
    "member/member.ts",
    '    return softState.role === "leader" ? term : undefined;',
    '    return this.leadership.role === "leader" ? Math.min(1, term) : softState.lead && undefined;',
  ),
  plant(
    "renewal-by-deposed",
    "a deposed leader renews leases (etcd #13508)",
    "member/renewals.ts",
    "|| !lessor.isPrimary || !leadership.isFresh)",
    "|| !lessor.isPrimary)",
  ),
  plant(
    "proposals-held-twice",
    "what a follower forwarded while nobody led is proposed again with each new leader",
    "member/replica.ts",
    "    this.#held = [];\n    this.#heldBytes = 0;\n    for (",
    "    for (",
  ),
  plant(
    "states-within-write",
    "a torn write looks like damage, since hard states stand within it (found here)",
    "disk/wal-files.ts",
    "    this.#hardState = hardState;\n    this.#isStateDue = true;\n",
    "    this.#hardState = hardState;\n    encoder.state(hardState);\n",
  ),
  plant(
    "log-released-early",
    "the log says that it is not needed before the page file has what it held",
    "member/log-keeper.ts",
    "    await this.#options.committed();\n",
    "",
  ),
  plant(
    "progress-overtakes",
    "a notice of progress overtakes events that wait (etcd #15220)",
    "mvcc/watch-stream.ts",
    "    if (!this.hasRoom || this.#watchers.size === 0 || this.behind > 0) return;",
    "    if (!this.hasRoom || this.#watchers.size === 0) return;\n" +
      "    if (this.behind > 0) return void this.#sink.progress(undefined, this.#hub.revision);",
  ),
  plant(
    "directory-not-synced",
    "a file gets a name, and the directory is not synced (etcd #6368)",
    "disk/file-io.ts",
    '  await orDiskError(io.rename(path, target), { path, doing: "rename" });\n' +
      "  await syncDirectory(io, names.directory);",
    '  await orDiskError(io.rename(path, target), { path, doing: "rename" });',
  ),
];

const SNAPSHOT_PLANTS: readonly Plant[] = [
  plant(
    "watch-behind-snapshot",
    "watchers are not told what a snapshot brought (etcd #15271)",
    "mvcc/watch.ts",
    "    this.#leaveToCatchUp(published + 1);\n  }\n\n  /** Tells those",
    "    void published;\n  }\n\n  /** Tells those",
  ),
  plant(
    "snapshot-index-forgotten",
    "a received state goes on with the index of the one before (etcd #13933)",
    "apply/state.ts",
    "    this.#storedIndex = other.#storedIndex;\n",
    "",
  ),
  plant(
    "leases-behind-snapshot",
    "a received snapshot leaves the leases as they were (etcd #13205)",
    "apply/state.ts",
    "    this.lessor.become(other.lessor);\n",
    "",
  ),
  plant(
    "snapshot-not-synced",
    "a received database gets its name before it is durable",
    "disk/received-file.ts",
    "      await this.#sync();\n      await this.#close();",
    "      await this.#close();",
  ),
  plant(
    "database-before-record",
    "a received database takes its place before the log speaks of it (etcd #11888)",
    "member/received-snapshots.ts",
    "    await log.installSnapshot(snapshot, hardState);\n    await standby.adopt();",
    "    await standby.adopt();\n    await log.installSnapshot(snapshot, hardState);",
  ),
  plant(
    "installed-while-written",
    "a received database takes the place of one whose commit is under way (etcd #20271)",
    "member/received-snapshots.ts",
    "    await pages.flush();\n    await logKeeper.settled();",
    "    await logKeeper.settled();",
  ),
];

export const PLANTS: readonly Plant[] = [...RAFT_PLANTS, ...STATE_PLANTS, ...SNAPSHOT_PLANTS];

/** Faults that bring out a bug that the simulation looks for; without, kills. */
export const FOCUS: Readonly<Record<string, string>> = {
  "vote-before-sync": "crashAt,isolate",
  "ack-before-sync": "crashAt",
  "vote-forgotten": "kill,isolate",
  "log-not-compared": "isolate,kill",
  "minority-is-enough": "isolate,power",
  "read-without-quorum": "isolate,pause",
  "votes-twice": "isolate,kill",
  "conflict-kept": "isolate,pause",
  "vote-not-synced": "crashAt,isolate,power",
  "snapshot-without-conf-state": "join,leave,isolate",
  "learner-votes": "join",
  "applied-twice": "kill",
  "index-before-data": "kill",
  "meta-before-pages": "power,crashAt",
  "log-not-synced": "power",
  "revoke-by-deposed": "pause",
  "proposals-held-twice": "move",
  "states-within-write": "crashAt",
  "log-released-early": "kill,power",
  "watch-behind-snapshot": "isolate",
};

/**
 * Tests that find a bug which few seeds bring out: those need several things at once, such as a
 * crash between two calls, or an old leader's entry on a majority.
 */
export const TOLD_BY: Readonly<Record<string, string>> = {
  "old-term-counted": "src/raft/paper.test.ts",
  "commit-past-match": "src/raft/log.test.ts",
  "read-before-own-term": "src/raft/raw-node.test.ts",
  "revision-goes-back": "src/mvcc/store-facts.test.ts",
  "compaction-races-range": "src/mvcc/store-large.test.ts",
  "lease-not-extended": "src/lease/lessor.test.ts",
  "progress-overtakes": "src/mvcc/watch.test.ts",
  "renewal-by-deposed": "src/member/renewals.test.ts",
  "directory-not-synced": "test/sim/member/power.test.ts",
  "snapshot-index-forgotten": "src/apply/become.test.ts",
  "leases-behind-snapshot": "src/apply/become.test.ts",
  "snapshot-not-synced": "test/sim/member/install.test.ts",
  "database-before-record": "test/sim/member/install.test.ts",
  "installed-while-written": "src/member/received-snapshots.test.ts",
};

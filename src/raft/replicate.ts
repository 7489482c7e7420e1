import { describeProgress } from "./describe.ts";
import { payloadBytes } from "./entries.ts";
import type { Progress } from "./progress.ts";
import type { Raft } from "./raft.ts";
import { type Entry, hex, MESSAGE_TYPE, message, panic } from "./types.ts";

/** What a leader sends to keep the logs of the others equal to its own. */

/** Sends entries, or at least the commit index, to everyone who can take them. */
export function broadcastAppend(raft: Raft): void {
  for (const [to, progress] of raft.others()) maybeSendAppend(raft, to, progress, { empty: true });
}

/**
 * Sends the entries that the member needs next, if it may be sent anything. A message without
 * entries still brings the commit index; it is sent only with `empty`. Whether one was sent.
 */
export function maybeSendAppend(
  raft: Raft,
  to: bigint,
  progress: Progress,
  { empty }: { empty: boolean },
): boolean {
  if (progress.isPaused) return false;
  const { log } = raft;
  const index = progress.next - 1;
  const logTerm = log.term(index);
  const entries = logTerm === undefined ? undefined : nextEntries(raft, progress);
  if (logTerm === undefined || entries === undefined) return maybeSendSnapshot(raft, to, progress);
  if (entries.length === 0 && !empty) return false;
  const commit = log.committed;
  raft.send(message({ type: MESSAGE_TYPE.app, to, index, logTerm, entries, commit }));
  progress.sentEntries(entries.length, payloadBytes(entries));
  progress.sentCommit = commit;
  return true;
}

/**
 * None while the window is full: the empty message then sent now and again is answered even when
 * all those in the window were lost, and so opens it.
 */
function nextEntries(raft: Raft, progress: Progress): readonly Entry[] | undefined {
  if (progress.state === "replicate" && progress.inflights.isFull) return [];
  return raft.log.entries(progress.next, raft.config.messageBytesMax);
}

/** Sends the latest snapshot: the log no longer reaches back to what the member has. */
function maybeSendSnapshot(raft: Raft, to: bigint, progress: Progress): boolean {
  const { log, logger, id } = raft;
  if (!progress.recentActive) {
    logger.debug?.(`ignore sending snapshot to ${hex(to)} since it is not recently active`);
    return false;
  }
  const snapshot = log.snapshot();
  if (snapshot === undefined) {
    logger.debug?.(
      `${hex(id)} failed to send snapshot to ${hex(to)} ` +
        "because snapshot is temporarily unavailable",
    );
    return false;
  }
  const { index, term } = snapshot.meta;
  if (index === 0) panic("need non-empty snapshot");
  logger.debug?.(
    `${hex(id)} [firstindex: ${log.firstIndex}, commit: ${log.committed}] sent ` +
      `snapshot[index: ${index}, term: ${term}] to ${hex(to)} [${describeProgress(progress)}]`,
  );
  progress.becomeSnapshot(index);
  logger.debug?.(
    `${hex(id)} paused sending replication messages to ${hex(to)} [${describeProgress(progress)}]`,
  );
  raft.send(message({ type: MESSAGE_TYPE.snap, to, snapshot }));
  return true;
}

/** Tells everyone that the leader lives, and asks to confirm the reads that wait for it. */
export function broadcastHeartbeat(raft: Raft): void {
  const context = raft.reads.heartbeatContext();
  for (const [to, progress] of raft.others()) {
    // Not beyond what the member is known to have: it would commit entries of another history.
    const commit = Math.min(progress.match, raft.log.committed);
    raft.send(message({ type: MESSAGE_TYPE.heartbeat, to, commit, context }));
    progress.sentCommit = commit;
  }
}

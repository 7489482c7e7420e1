/**
 * One member of a cluster: takes requests through the log and back, answers linearizable reads,
 * and keeps the page file, the log and the leases in order. Reaches the world only through ports.
 */
export {
  type AutoCompactionMode,
  type AutoCompactorOptions,
} from "./auto-compactor.ts";
export { Meters, OPERATION, type Times } from "./meters.ts";
export { Member, type MemberConfig, type MemberOptions } from "./member.ts";
export type {
  HashPort,
  LogLines,
  LogPort,
  NetworkPort,
  PageFilePort,
  PeerHash,
  PeerInbox,
  PeerLease,
  PeerReply,
  PeerVersion,
  Ports,
  ReceivedFile,
  ReceivedPort,
  SnapshotImage,
  SnapshotSink,
  Standby,
  TextPort,
  TimePort,
} from "./ports.ts";
export type { ChangeWaiter } from "./member-changes.ts";
export { type ChangeOutcome, isRefused } from "./membership.ts";
export type { ProposalWaiter } from "./proposals.ts";
export type { ReadWaiter } from "./reads.ts";
export { resumable, Slicer } from "./slices.ts";
export { dialTimeoutMs, requestTimeoutMs } from "./timeouts.ts";

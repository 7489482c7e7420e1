/**
 * Raft: a deterministic state machine that keeps one log on several members. Feed it messages,
 * proposals and ticks; carry out what `ready()` says; `advance()`. It does no I/O and has no clock,
 * so the same inputs always give the same outputs.
 */
export { readConfChange } from "./confchange.ts";
export type { RaftConfig, ReadOnlyOption } from "./config.ts";
export {
  confChangeName,
  describeEntry,
  describeMessage,
  describeProgress,
  describeReady,
} from "./describe.ts";
export { MemoryStorage } from "./memory-storage.ts";
export type { Progress, ProgressState } from "./progress.ts";
export { RawNode, type Ready, type Status } from "./raw-node.ts";
export { EMPTY_CONF_STATE, type Storage } from "./storage.ts";
export type { Configuration, ProgressMap } from "./tracker.ts";
export {
  CONF_CHANGE_TYPE,
  type ConfChange,
  type ConfChangeSingle,
  type ConfChangeV2,
  type ConfState,
  decodeConfChange,
  ENTRY_TYPE,
  type Entry,
  type HardState,
  isLocalTarget,
  type Logger,
  MESSAGE_TYPE,
  type Message,
  message,
  NONE,
  type ReadState,
  type Refusal,
  type Role,
  type Snapshot,
  type SnapshotMeta,
  type SoftState,
  TRANSITION,
} from "./types.ts";

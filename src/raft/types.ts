import { MESSAGE_TYPE } from "../proto/index.ts";

export {
  CONF_CHANGE_TYPE,
  type ConfChange,
  type ConfChangeSingle,
  type ConfChangeV2,
  type ConfState,
  decodeConfChange,
  decodeConfChangeV2,
  ENTRY_TYPE,
  type Entry,
  encodeConfChange,
  encodeConfChangeV2,
  entryBytes,
  type HardState,
  MESSAGE_TYPE,
  type Message,
  message,
  ProtoError,
  type Snapshot,
  type SnapshotMeta,
  TRANSITION,
} from "../proto/index.ts";

/** The id of nobody: no leader, no vote. */
export const NONE = 0n;

/** Where storageAppend messages go: whatever writes the log. */
export const LOCAL_APPEND = 0xffff_ffff_ffff_ffffn;

/** Where storageApply messages go: whatever applies committed entries. */
export const LOCAL_APPLY = 0xffff_ffff_ffff_fffen;

export type Role = "follower" | "candidate" | "leader" | "preCandidate";

export interface SoftState {
  readonly lead: bigint;
  readonly role: Role;
}

/** A confirmed read: whoever has applied `index` may answer the request named by `context`. */
export interface ReadState {
  readonly index: number;
  readonly context: Uint8Array;
}

/** An index of the log with the term it was written in: the name of an entry. */
export interface EntryId {
  readonly term: number;
  readonly index: number;
}

/** Why an input was not taken, in the words users see. */
export const PROPOSAL_DROPPED = "raft proposal dropped";
export const LOCAL_MESSAGE = "raft: cannot step raft local message";
export const PEER_NOT_FOUND = "raft: cannot step as peer not found";
export type Refusal = typeof PROPOSAL_DROPPED | typeof LOCAL_MESSAGE | typeof PEER_NOT_FOUND;

/** The log or a message contradicts what this member knows for certain: it must not go on. */
export class RaftError extends Error {}

export function panic(reason: string): never {
  throw new RaftError(reason);
}

/** Where raft tells what it does. A level that is off is absent, so its texts are never built. */
export interface Logger {
  readonly debug?: ((text: string) => void) | undefined;
  readonly info?: ((text: string) => void) | undefined;
  /**
   * What etcd's raft says at level info and never has to: with asynchronous storage it is the rule
   * under load.
   */
  readonly routine?: ((text: string) => void) | undefined;
  readonly warning?: ((text: string) => void) | undefined;
  readonly error?: ((text: string) => void) | undefined;
}

const LOCAL_TYPES: ReadonlySet<number> = new Set([
  MESSAGE_TYPE.hup,
  MESSAGE_TYPE.beat,
  MESSAGE_TYPE.unreachable,
  MESSAGE_TYPE.snapStatus,
  MESSAGE_TYPE.checkQuorum,
  MESSAGE_TYPE.storageAppend,
  MESSAGE_TYPE.storageAppendResp,
  MESSAGE_TYPE.storageApply,
  MESSAGE_TYPE.storageApplyResp,
]);

const RESPONSE_TYPES: ReadonlySet<number> = new Set([
  MESSAGE_TYPE.appResp,
  MESSAGE_TYPE.voteResp,
  MESSAGE_TYPE.heartbeatResp,
  MESSAGE_TYPE.unreachable,
  MESSAGE_TYPE.readIndexResp,
  MESSAGE_TYPE.preVoteResp,
  MESSAGE_TYPE.storageAppendResp,
  MESSAGE_TYPE.storageApplyResp,
]);

/** Whether a message of this type may only come from the member itself. */
export function isLocalType(type: number): boolean {
  return LOCAL_TYPES.has(type);
}

export function isResponseType(type: number): boolean {
  return RESPONSE_TYPES.has(type);
}

export function isLocalTarget(id: bigint): boolean {
  return id === LOCAL_APPEND || id === LOCAL_APPLY;
}

/** Ids as logs print them: hexadecimal, no leading zeros. */
export function hex(id: bigint): string {
  return id.toString(16);
}

import { quoteBytes } from "../base/index.ts";
import { asConfChangeV2, readConfChange } from "./confchange.ts";
import type { Progress } from "./progress.ts";
import type { Majority } from "./quorum.ts";
import type { Ready } from "./raw-node.ts";
import type { Configuration, ProgressMap } from "./tracker.ts";
import {
  type ConfChange,
  type ConfChangeV2,
  type ConfState,
  ENTRY_TYPE,
  type Entry,
  type HardState,
  hex,
  LOCAL_APPEND,
  LOCAL_APPLY,
  type Message,
  MESSAGE_TYPE,
  NONE,
  ProtoError,
  type Role,
  type Snapshot,
  type SoftState,
} from "./types.ts";

/** Raft's objects in the text forms of logs and stories, known to whoever debugs etcd. */

const ROLE_NAMES: Readonly<Record<Role, string>> = {
  follower: "StateFollower",
  candidate: "StateCandidate",
  leader: "StateLeader",
  preCandidate: "StatePreCandidate",
};

const PROGRESS_NAMES = {
  probe: "StateProbe",
  replicate: "StateReplicate",
  snapshot: "StateSnapshot",
} as const;

const ENTRY_NAMES = ["EntryNormal", "EntryConfChange", "EntryConfChangeV2"];

const CHANGE_NAMES = [
  "ConfChangeAddNode",
  "ConfChangeRemoveNode",
  "ConfChangeUpdateNode",
  "ConfChangeAddLearnerNode",
];

/** One letter per change: voter, remove, update, learner. */
const CHANGE_LETTERS = ["v", "r", "u", "l"];

const TRANSITION_NAMES = [
  "ConfChangeTransitionAuto",
  "ConfChangeTransitionJointImplicit",
  "ConfChangeTransitionJointExplicit",
];

const MESSAGE_NAMES: readonly string[] = Object.keys(MESSAGE_TYPE).map(
  (name) => `Msg${name[0]!.toUpperCase()}${name.slice(1)}`,
);

export function confChangeName(type: number): string {
  return CHANGE_NAMES[type] ?? `${type}`;
}

export function messageName(type: number): string {
  return MESSAGE_NAMES[type] ?? `MessageType(${type})`;
}

export function roleName(role: Role): string {
  return ROLE_NAMES[role];
}

function describeMajority(ids: Majority): string {
  return `(${ids.map(hex).join(" ")})`;
}

export function describeConfiguration(configuration: Configuration): string {
  const { voters, learners, learnersNext, autoLeave } = configuration;
  let text = `voters=${describeMajority(voters.incoming)}`;
  if (voters.outgoing.length > 0) text += `&&${describeMajority(voters.outgoing)}`;
  if (learners.length > 0) text += ` learners=${describeMajority(learners)}`;
  if (learnersNext.length > 0) text += ` learners_next=${describeMajority(learnersNext)}`;
  return autoLeave ? `${text} autoleave` : text;
}

export function describeProgress(progress: Progress): string {
  const { state, match, next, pendingSnapshot, inflights } = progress;
  let text = `${PROGRESS_NAMES[state]} match=${match} next=${next}`;
  if (progress.isLearner) text += " learner";
  if (progress.isPaused) text += " paused";
  if (pendingSnapshot > 0) text += ` pendingSnap=${pendingSnapshot}`;
  if (!progress.recentActive) text += " inactive";
  if (inflights.count > 0) text += ` inflight=${inflights.count}`;
  return inflights.count > 0 && inflights.isFull ? `${text}[full]` : text;
}

/** One line a member. */
export function describeProgressMap(progress: ProgressMap): string {
  return [...progress].map(([id, known]) => `${id}: ${describeProgress(known)}\n`).join("");
}

export function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === NONE ? "" : ` Vote:${vote}`} Commit:${commit}`;
}

export function describeSoftState({ lead, role }: SoftState): string {
  return `Lead:${lead} State:${roleName(role)}`;
}

export function describeConfState(state: ConfState): string {
  return (
    `Voters:${describeIds(state.voters)} VotersOutgoing:${describeIds(state.votersOutgoing)} ` +
    `Learners:${describeIds(state.learners)} LearnersNext:${describeIds(state.learnersNext)} ` +
    `AutoLeave:${state.autoLeave}`
  );
}

function describeIds(ids: readonly bigint[]): string {
  return `[${ids.join(" ")}]`;
}

export function describeSnapshot({ meta }: Snapshot): string {
  return `Index:${meta.index} Term:${meta.term} ConfState:${describeConfState(meta.confState)}`;
}

/** The change with names in full, for logs. */
export function describeConfChange(change: ConfChange | ConfChangeV2): string {
  const { transition, changes, context } = asConfChangeV2(change);
  let text = `transition:${TRANSITION_NAMES[transition] ?? transition}`;
  for (const { type, nodeId } of changes) {
    text += ` changes:{type:${confChangeName(type)} node_id:${nodeId}}`;
  }
  return context.length === 0 ? text : `${text} context:${quoteBytes(context)}`;
}

export function describeEntry(entry: Entry): string {
  const { term, index, type, data } = entry;
  const content = type === ENTRY_TYPE.normal ? quoteBytes(data) : shortConfChange(entry);
  const name = ENTRY_NAMES[type] ?? `EntryType(${type})`;
  return `${term}/${index} ${name}${content === "" ? "" : ` ${content}`}`;
}

/** The change in short, as "v1 l2 r3". */
function shortConfChange(entry: Entry): string {
  try {
    const { changes } = asConfChangeV2(readConfChange(entry));
    return changes.map((it) => `${CHANGE_LETTERS[it.type] ?? "?"}${it.nodeId}`).join(" ");
  } catch (error) {
    if (error instanceof ProtoError) return error.message;
    throw error;
  }
}

/** One line an entry. */
export function describeEntries(entries: readonly Entry[]): string {
  return entries.map((entry) => `${describeEntry(entry)}\n`).join("");
}

export function describeMessage(m: Message, indent = ""): string {
  const route = `${describeTarget(m.from)}->${describeTarget(m.to)}`;
  let text = `${indent}${route} ${messageName(m.type)} Term:${m.term} Log:${m.logTerm}/${m.index}`;
  if (m.reject) text += ` Rejected (Hint: ${m.rejectHint})`;
  if (m.commit !== 0) text += ` Commit:${m.commit}`;
  if (m.vote !== NONE) text += ` Vote:${m.vote}`;
  text += describeMessageEntries(m.entries, indent);
  const { snapshot } = m;
  if (snapshot !== undefined && snapshot.meta.index > 0) {
    text += `\n${indent}  Snapshot: ${describeSnapshot(snapshot)}`;
  }
  if (m.responses.length === 0) return text;
  const responses = m.responses.map((response) => describeMessage(response, `${indent}  `));
  return `${text} Responses:[\n${responses.join("\n")}\n${indent}]`;
}

function describeMessageEntries(entries: readonly Entry[], indent: string): string {
  if (entries.length === 0) return "";
  if (entries.length === 1) return ` Entries:[${describeEntry(entries[0]!)}]`;
  const lines = entries.map((entry) => `\n${indent}  ${describeEntry(entry)}`);
  return ` Entries:[${lines.join("")}\n${indent}]`;
}

function describeTarget(id: bigint): string {
  if (id === NONE) return "None";
  if (id === LOCAL_APPEND) return "AppendThread";
  return id === LOCAL_APPLY ? "ApplyThread" : hex(id);
}

export function describeReady(ready: Ready): string {
  const { softState, hardState, readStates, entries, snapshot, committed } = ready;
  const messages = [...ready.messages, ...ready.messagesAfterAppend];
  let text = "";
  if (softState !== undefined) text += `${describeSoftState(softState)}\n`;
  if (hardState !== undefined) text += `HardState ${describeHardState(hardState)}\n`;
  if (readStates.length > 0) {
    const states = readStates.map(({ index, context }) => `{${index} [${context.join(" ")}]}`);
    text += `ReadStates [${states.join(" ")}]\n`;
  }
  if (entries.length > 0) text += `Entries:\n${describeEntries(entries)}`;
  if (snapshot !== undefined) text += `Snapshot ${describeSnapshot(snapshot)}\n`;
  if (committed.length > 0) text += `CommittedEntries:\n${describeEntries(committed)}`;
  if (messages.length > 0) {
    text += `Messages:\n${messages.map((m) => `${describeMessage(m)}\n`).join("")}`;
  }
  return text === "" ? "<empty Ready>" : `Ready MustSync=${ready.mustSync}:\n${text}`;
}

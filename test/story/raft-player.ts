import {
  describeMessage,
  describeProgress,
  MESSAGE_TYPE,
  message,
  type Refusal,
  TRANSITION,
} from "../../src/raft/index.ts";
import { messageName, roleName } from "../../src/raft/describe.ts";
import { parseChanges } from "./changes.ts";
import { Group, startingPoint } from "./raft-group.ts";
import { type Command, type Player, valueOf } from "./stories.ts";

const ELECTION_TICKS = 3;

/** Plays a story of a group of raft members, from an empty one on. */
export function newRaftPlayer(story: readonly Command[], group = new Group()): Player {
  const timeouts = electionTimeouts(story);
  return (command) => {
    const { transcript } = group;
    transcript.text = "";
    const handle = COMMANDS[command.name];
    if (handle === undefined) throw new Error(`unknown command ${command.name}`);
    const problem = handle(group, command, timeouts);
    if (typeof problem === "string" && transcript.isSilent) return problem;
    if (typeof problem === "string") transcript.write(problem);
    return transcript.text === "" ? "ok" : transcript.text.replace(/\n$/, "");
  };
}

/** Election timeouts in ticks that a story sets, by member. */
type Timeouts = ReadonlyMap<bigint, number>;

/** They are drawn when a member starts or changes its role, so they must be known from the start. */
function electionTimeouts(story: readonly Command[]): Timeouts {
  const setting = story.filter(({ name }) => name === "set-randomized-election-timeout");
  return new Map(setting.map((it) => [idsOf(it)[0]!, Number(valueOf(it, "timeout"))]));
}

type Handler = (group: Group, command: Command, timeouts: Timeouts) => Refusal | string | void;

const COMMANDS: Readonly<Record<string, Handler>> = {
  "add-nodes": addNodes,
  campaign: (group, command) => node(group, command).campaign(),
  compact: (group, { args }) => {
    const [id, index] = args.map(({ key }) => BigInt(key));
    group.member(id!).storage.compact(Number(index));
    group.printLog(id!);
  },
  "deliver-msgs": deliver,
  "forget-leader": (group, command) => node(group, command).forgetLeader(),
  "log-level": ({ transcript }, { args }) => transcript.setLevel(args[0]!.key),
  "process-append-thread": (group, command) =>
    each(group, command, "processing append thread", (id) => group.processAppend(id)),
  "process-apply-thread": (group, command) =>
    each(group, command, "processing apply thread", (id) => group.processApply(id)),
  "process-ready": (group, command) =>
    each(group, command, "handling Ready", (id) => group.processReady(id)),
  propose: (group, command) =>
    node(group, command).propose([Buffer.from(command.args[1]?.key ?? "")]),
  "propose-conf-change": proposeConfChange,
  "raft-log": (group, command) => group.printLog(idsOf(command)[0]!),
  "raft-state": raftState,
  "report-unreachable": (group, command) =>
    node(group, command).reportUnreachable(idsOf(command)[1]!),
  "send-snapshot": sendSnapshot,
  "set-randomized-election-timeout": () => undefined,
  stabilize,
  status: (group, command) => {
    for (const [id, progress] of node(group, command).status().progress) {
      group.transcript.write(`${id}: ${describeProgress(progress)}\n`);
    }
  },
  "tick-election": (group, command) => tick(group, command, ELECTION_TICKS),
  "tick-heartbeat": (group, command) => tick(group, command, 1),
  "transfer-leadership": (group, command) =>
    group
      .member(BigInt(valueOf(command, "from")!))
      .node.transferLeader(BigInt(valueOf(command, "to")!)),
};

function addNodes(group: Group, command: Command, timeouts: Timeouts): void {
  const flag = (key: string) => valueOf(command, key) === "true";
  const ids = (key: string) =>
    (command.args.find((arg) => arg.key === key)?.values ?? []).map((value) => BigInt(value));
  const index = Number(valueOf(command, "index") ?? 0);
  const start = startingPoint({ index, voters: ids("voters"), learners: ids("learners") });
  const committedBytesMax = valueOf(command, "max-committed-size-per-ready");
  for (let i = 0; i < Number(command.args[0]!.key); i++) {
    const id = BigInt(group.members.length + 1);
    const timeout = timeouts.get(id) ?? ELECTION_TICKS;
    const config = {
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: 1,
      random: () => timeout - ELECTION_TICKS,
      applied: index,
      messageBytesMax: Infinity,
      committedBytesMax: Number(committedBytesMax ?? Infinity),
      inflightMessagesMax: Number(valueOf(command, "inflight") ?? Infinity),
      asyncStorageWrites: flag("async-storage-writes"),
      preVote: flag("prevote"),
      checkQuorum: flag("checkquorum"),
      readOnly: valueOf(command, "read-only") === "lease-based" ? "leaseBased" : "safe",
      disableConfChangeValidation: flag("disable-conf-change-validation"),
      stepDownOnRemoval: flag("step-down-on-removal"),
    } as const;
    group.add(config, start);
  }
}

function deliver(group: Group, command: Command): void {
  const dropped = command.args.find(({ key }) => key === "drop")?.values ?? [];
  const deliveries = [
    ...idsOf(command).map((to) => ({ to, drop: false })),
    ...dropped.map((id) => ({ to: BigInt(id), drop: true })),
  ];
  const name = valueOf(command, "type");
  const type = Object.values(MESSAGE_TYPE).find((one) => messageName(one) === name);
  if (group.deliver(deliveries, type) === 0) group.transcript.write("no messages\n");
}

function proposeConfChange(group: Group, command: Command): Refusal | undefined {
  const changes = parseChanges(command.input);
  const context = new Uint8Array(0);
  if (valueOf(command, "v1") === "true") {
    return node(group, command).proposeConfChange({ id: 0n, ...changes[0]!, context });
  }
  const { auto, jointImplicit, jointExplicit } = TRANSITION;
  const transitions = { auto, implicit: jointImplicit, explicit: jointExplicit };
  const name = valueOf(command, "transition") ?? "auto";
  const transition = transitions[name as keyof typeof transitions];
  return node(group, command).proposeConfChange({ transition, changes, context });
}

function raftState(group: Group): void {
  for (const { node } of group.members) {
    const { id, softState, term, configuration } = node.status();
    const { incoming, outgoing } = configuration.voters;
    const kind = [...incoming, ...outgoing].includes(id) ? "(Voter)" : "(Non-Voter)";
    const role = roleName(softState.role);
    group.transcript.write(`${id}: ${role} ${kind} Term:${term} Lead:${softState.lead}\n`);
  }
}

function sendSnapshot(group: Group, command: Command): void {
  const [from, to] = idsOf(command);
  const { node, storage } = group.member(from!);
  const m = message({
    type: MESSAGE_TYPE.snap,
    from: from!,
    to: to!,
    term: node.status().term,
    snapshot: storage.snapshot(),
  });
  group.messages.push(m);
  group.transcript.write(describeMessage(m));
}

function stabilize(group: Group, command: Command): void {
  const { transcript } = group;
  const level = transcript.level;
  const name = valueOf(command, "log-level");
  if (name !== undefined) transcript.setLevel(name);
  const ids = idsOf(command);
  group.stabilize(ids.length > 0 ? ids : group.members.map(({ id }) => id));
  transcript.level = level;
}

function tick(group: Group, command: Command, ticks: number): void {
  for (let i = 0; i < ticks; i++) node(group, command).tick();
}

function each(
  { transcript }: Group,
  command: Command,
  what: string,
  act: (id: bigint) => void,
): void {
  const ids = idsOf(command);
  if (ids.length === 1) return act(ids[0]!);
  for (const id of ids) {
    transcript.write(`> ${id} ${what}\n`);
    transcript.indent(() => act(id));
  }
}

/** The member that the command names first. */
function node(group: Group, command: Command) {
  return group.member(idsOf(command)[0]!).node;
}

function idsOf({ args }: Command): bigint[] {
  return args
    .filter(({ key, values }) => values.length === 0 && /^\d+$/.test(key))
    .map(({ key }) => BigInt(key));
}

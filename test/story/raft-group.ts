import {
  describeEntry,
  describeMessage,
  describeReady,
  EMPTY_CONF_STATE,
  ENTRY_TYPE,
  type ConfState,
  type Entry,
  type HardState,
  isLocalTarget,
  type Logger,
  MemoryStorage,
  MESSAGE_TYPE,
  type Message,
  type RaftConfig,
  RawNode,
  readConfChange,
  type Snapshot,
} from "../../src/raft/index.ts";

const LEVELS = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE"];
const SILENT = LEVELS.indexOf("NONE");

/** The transcript: what the commands print and what raft logs, if its level is on. */
export class Transcript {
  text = "";
  level = 0;
  readonly logger: Logger;

  constructor() {
    const at = (level: number) => (text: string) => this.write(`${LEVELS[level]} ${text}\n`);
    const [debug, info, warning, error] = [at(0), at(1), at(2), at(3)];
    const isOn = (level: number) => this.level <= level;
    this.logger = {
      get debug() {
        return isOn(0) ? debug : undefined;
      },
      get info() {
        return isOn(1) ? info : undefined;
      },
      get routine() {
        return this.info;
      },
      get warning() {
        return isOn(2) ? warning : undefined;
      },
      get error() {
        return isOn(3) ? error : undefined;
      },
    };
  }

  get isSilent(): boolean {
    return this.level === SILENT;
  }

  setLevel(name: string): void {
    this.level = LEVELS.indexOf(name.toUpperCase());
  }

  write(text: string): void {
    if (!this.isSilent) this.text += text;
  }

  /** What `act` prints stands two columns to the right. */
  indent(act: () => void): void {
    const before = this.text;
    this.text = "";
    act();
    const lines = this.text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    this.text = before + lines.map((line) => `  ${line}\n`).join("");
  }
}

/** The log of a member whose latest snapshot is always of the last entry it applied. */
class StoryStorage extends MemoryStorage {
  /** The state after each applied entry, the first one given. */
  readonly history: Snapshot[] = [];

  override snapshot(): Snapshot {
    return this.history.at(-1)!;
  }
}

export interface Member {
  readonly id: bigint;
  readonly config: RaftConfig;
  readonly node: RawNode;
  readonly storage: StoryStorage;
  readonly appendWork: Message[];
  readonly applyWork: Message[];
}

export interface Delivery {
  readonly to: bigint;
  readonly drop: boolean;
}

/** Members of a group, the messages between them, and the hands that carry out their Readies. */
export class Group {
  readonly members: Member[] = [];
  readonly transcript = new Transcript();
  messages: Message[] = [];

  member(id: bigint): Member {
    const member = this.members[Number(id) - 1];
    if (member === undefined) throw new Error(`there is no member ${id}`);
    return member;
  }

  /** Adds the next member, which starts from a snapshot unless that is at index 0. */
  add(config: Omit<RaftConfig, "id" | "storage" | "logger">, start: Snapshot): void {
    const id = BigInt(this.members.length + 1);
    const storage = new StoryStorage();
    storage.history.push(start);
    if (start.meta.index > 0) storage.applySnapshot(start);
    const full = { ...config, id, storage, logger: this.transcript.logger };
    const node = new RawNode(full);
    this.members.push({ id, config: full, node, storage, appendWork: [], applyWork: [] });
  }

  printLog(id: bigint): void {
    const { firstIndex, lastIndex } = this.member(id).storage;
    if (lastIndex < firstIndex) {
      this.transcript.write(`log is empty: first index=${firstIndex}, last index=${lastIndex}`);
      return;
    }
    const range = { from: firstIndex, to: lastIndex + 1, bytesMax: Infinity };
    for (const entry of this.member(id).storage.entries(range) ?? []) {
      this.transcript.write(`${describeEntry(entry)}\n`);
    }
  }

  processReady(id: bigint): void {
    const member = this.member(id);
    const ready = member.node.ready();
    this.transcript.write(describeReady(ready));
    const isAsync = member.config.asyncStorageWrites === true;
    if (!isAsync) {
      save(member, ready.hardState, ready.entries, ready.snapshot);
      apply(member, ready.committed);
    }
    for (const m of [...ready.messages, ...ready.messagesAfterAppend]) {
      if (!isLocalTarget(m.to)) this.messages.push(m);
      else if (m.type === MESSAGE_TYPE.storageAppend) member.appendWork.push(m);
      else member.applyWork.push(m);
    }
    if (!isAsync) member.node.advance();
  }

  /** Carries out one piece of work of the storage that writes the log. */
  processAppend(id: bigint): void {
    const member = this.member(id);
    this.#process(member.appendWork, "append", ({ term, vote, commit, entries, snapshot }) => {
      const isEmpty = term === 0 && vote === 0n && commit === 0;
      save(member, isEmpty ? undefined : { term, vote, commit }, entries, snapshot);
    });
  }

  /** Carries out one piece of work of the storage that applies entries. */
  processApply(id: bigint): void {
    const member = this.member(id);
    this.#process(member.applyWork, "apply", ({ entries }) => apply(member, entries));
  }

  #process(work: Message[], kind: string, carryOut: (m: Message) => void): void {
    const m = work.shift();
    if (m === undefined) {
      this.transcript.write(`no ${kind} work to perform`);
      return;
    }
    this.transcript.write(`Processing:\n${describeMessage({ ...m, responses: [] })}\n`);
    carryOut(m);
    this.transcript.write("Responses:\n");
    for (const response of m.responses) this.transcript.write(`${describeMessage(response)}\n`);
    this.messages.push(...m.responses);
  }

  /** Delivers or drops what is under way, of one type or all. Returns how many messages it was. */
  deliver(deliveries: readonly Delivery[], type?: number): number {
    let count = 0;
    for (const { to, drop } of deliveries) {
      const isMeant = (m: Message) =>
        m.to === to && !(drop && isLocal(m)) && (type === undefined || m.type === type);
      const meant = this.messages.filter(isMeant);
      this.messages = this.messages.filter((m) => !isMeant(m));
      count += meant.length;
      for (const m of meant) this.#deliver(m, drop);
    }
    return count;
  }

  #deliver(m: Message, drop: boolean): void {
    this.transcript.write(`${drop ? "dropped: " : ""}${describeMessage(m)}\n`);
    if (drop) return;
    const refusal = this.member(m.to).node.step(m);
    if (refusal !== undefined) this.transcript.write(`${refusal}\n`);
  }

  /** Lets the members work and talk until none has anything left to do. */
  stabilize(ids: readonly bigint[]): void {
    const members = ids.map((id) => this.member(id));
    const each = (what: string, hasWork: (m: Member) => boolean, act: (id: bigint) => void) => {
      const busy = members.filter((member) => {
        if (!hasWork(member)) return false;
        this.transcript.write(`> ${member.id} ${what}\n`);
        do this.transcript.indent(() => act(member.id));
        while (what.endsWith("thread") && hasWork(member));
        return true;
      });
      return busy.length > 0;
    };
    const hasMail = ({ id }: Member) => this.messages.some((m) => m.to === id);
    const receive = (id: bigint) => this.deliver([{ to: id, drop: false }]);
    for (let isBusy = true; isBusy; ) {
      const busy = [
        each(
          "handling Ready",
          ({ node }) => node.hasReady,
          (id) => this.processReady(id),
        ),
        each("receiving messages", hasMail, receive),
        each("processing append thread", hasAppendWork, (id) => this.processAppend(id)),
        each("processing apply thread", hasApplyWork, (id) => this.processApply(id)),
      ];
      isBusy = busy.includes(true);
    }
  }
}

function hasAppendWork({ appendWork }: Member): boolean {
  return appendWork.length > 0;
}

function hasApplyWork({ applyWork }: Member): boolean {
  return applyWork.length > 0;
}

/** Between a member and its own storage nothing is lost. */
function isLocal(m: Message): boolean {
  return m.from === m.to || isLocalTarget(m.from) || isLocalTarget(m.to);
}

function save(
  { storage }: Member,
  hardState: HardState | undefined,
  entries: readonly Entry[],
  snapshot: Snapshot | undefined,
): void {
  if (hardState !== undefined) storage.setHardState(hardState);
  if (snapshot !== undefined) storage.applySnapshot(snapshot);
  storage.append(entries);
}

/** The state is all data ever applied, one after the other. */
function apply({ node, storage }: Member, entries: readonly Entry[]): void {
  for (const entry of entries) {
    const { index, term } = entry;
    const last = storage.history.at(-1)!;
    const { data, confState } = applyOne(node, entry);
    storage.history.push({
      meta: { index, term, confState: confState ?? last.meta.confState },
      data: Buffer.concat([last.data, data]),
    });
  }
}

function applyOne(node: RawNode, entry: Entry): { data: Uint8Array; confState?: ConfState } {
  if (entry.type === ENTRY_TYPE.normal) return { data: entry.data };
  const change = readConfChange(entry);
  return { data: change.context, confState: node.applyConfChange(change) };
}

/** What a member starts from: nothing, or the state at some index of term 1. */
export function startingPoint(start: Partial<ConfState> & { index: number }): Snapshot {
  const { index, ...members } = start;
  const confState = { ...EMPTY_CONF_STATE, ...members };
  return { meta: { index, term: index === 0 ? 0 : 1, confState }, data: new Uint8Array(0) };
}

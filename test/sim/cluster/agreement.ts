import type { State } from "../../../src/apply/index.ts";
import type { Member } from "../../../src/member/index.ts";
import type { Entry } from "../../../src/proto/index.ts";
import type { Change, Told, Watched } from "../../lib/history/index.ts";
import { EntryHistory } from "../entry-history.ts";
import * as model from "../model.ts";

type Say = (violation: string) => void;

/**
 * What no two members may differ in: the entry at an index, the state after it, the leader of a
 * term. And what follows from the entries, computed once by a model.
 */
export class Agreement {
  readonly #say: Say;
  readonly #now: () => number;
  /** So many entries found the cluster: raft knows all of them from the start. */
  readonly #founders: number;
  readonly #entries = new EntryHistory();
  readonly #states: string[] = [];
  readonly #leaders = new Map<number, string>();
  readonly #model = new model.Model();
  readonly #told: Told[] = [];

  constructor(options: { now: () => number; founders: number; say: Say }) {
    this.#now = options.now;
    this.#say = options.say;
    this.#founders = options.founders;
  }

  /** The last entry that anybody has applied. */
  get lastIndex(): number {
    return this.#entries.lastIndex;
  }

  get revision(): number {
    return this.#model.revision;
  }

  /** All changes, told like those of a watch that misses nothing. */
  get watched(): Watched {
    return { by: "the log", key: "", end: "\uffff", from: 2, messages: this.#told };
  }

  /** Sees every entry that a life applies, and the states in between. */
  observe(name: string, member: Member): void {
    const { state } = member;
    const apply = state.apply.bind(state);
    const applyConfChange = state.applyConfChange.bind(state);
    const from = state.storedIndex;
    let last = 0;
    const see = (entry: Entry) => {
      if (entry.index <= last) this.#say(`${name} applies entry ${entry.index} after ${last}`);
      last = entry.index;
      if (entry.index > from) this.#compareStates(name, entry.index - 1, state);
      this.#applied(name, entry);
    };
    state.apply = (entry, waiting) => {
      see(entry);
      return apply(entry, waiting);
    };
    state.applyConfChange = (entry, toRaft) => {
      see(entry);
      const changed = applyConfChange(entry, toRaft);
      const isNew = entry.index > Math.max(from, this.#founders);
      if (isNew && !("next" in changed)) this.#compareVoters(name, member);
      return changed;
    };
  }

  leads(name: string, term: number): void {
    const known = this.#leaders.get(term);
    if (known === undefined) this.#leaders.set(term, name);
    else if (known !== name) this.#say(`${known} and ${name} both lead in term ${term}`);
  }

  #compareStates(name: string, index: number, { store, lessor, alarms, members }: State): void {
    const state =
      `revision ${store.currentRevision}, compacted at ${Math.max(0, store.compactedRevision)}, ` +
      `${lessor.size} leases, no space ${alarms.hasNoSpace}, corrupt ${alarms.hasCorrupt}, ` +
      `cluster ${members.version}, downgrade ${members.downgrade.target}, ` +
      `members ${members.allKnown().map(({ id, isLearner }) => (isLearner ? `(${id})` : id))}`;
    if (alarms.hasCorrupt) this.#say(`an alarm says that a member is corrupt, after ${index}`);
    const known = this.#states[index];
    if (known === undefined) this.#states[index] = state;
    else if (known !== state) this.#say(`after entry ${index} ${name} has ${state}, not ${known}`);
  }

  /** Raft counts those whom the state has as members. */
  #compareVoters(name: string, member: Member): void {
    const { voters, learners } = member.raftStatus().configuration;
    const ids = (isLearner: boolean) =>
      member.state.members
        .allKnown()
        .flatMap((one) => (one.isLearner === isLearner ? [one.id] : []));
    const [inState, inRaft] = [
      `voters ${ids(false)}, learners ${ids(true)}`,
      `voters ${voters.incoming}, learners ${learners}`,
    ];
    if (inState !== inRaft) this.#say(`${name} has ${inState}, and raft ${inRaft}`);
  }

  #applied(name: string, entry: Entry): void {
    const isNew = this.#entries.applied(entry, (what) => this.#say(`${name}: ${what}`));
    if (isNew) this.#tell(entry);
  }

  /** What a watch is told of an entry. */
  #tell(entry: Entry): void {
    const before = this.#model.revision;
    this.#model.apply(entry);
    if (this.#model.revision === before) return;
    const changes: Change[] = [];
    for (let at = this.#model.history.length - 1; at >= 0; at--) {
      const change = this.#model.history[at]!;
      if (change.main <= before) break;
      changes.unshift(asTold(change));
    }
    this.#told.push({ at: this.#now(), changes });
  }
}

function asTold({ main, key, pair }: model.Change): Change {
  if (pair === undefined) return { revision: main, key, pair: undefined };
  const { create, mod, version, value, lease } = pair;
  return {
    revision: main,
    key,
    pair: {
      key,
      value,
      modRevision: mod,
      createRevision: create,
      version,
      ...(lease !== 0n && { lease: lease.toString(16) }),
    },
  };
}

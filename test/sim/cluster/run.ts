import { Prng } from "../../../src/base/index.ts";
import { SLICE } from "../../../src/mvcc/slices.ts";
import { api, decodeMessage, encodeMessage } from "../../../src/proto/index.ts";
import { checkHistory, type Operation } from "../../lib/history/index.ts";
import { Caller } from "./caller.ts";
import { Client, Load } from "./client.ts";
import { Cluster } from "./cluster.ts";
import { encode, END } from "./encode.ts";
import { Faults } from "./faults.ts";
import { Operator } from "./operator.ts";
import { FASTEST, type Plan } from "./plan.ts";
import { Watcher } from "./watcher.ts";

/** When everything is good again, all members must agree within this. */
const SETTLE_MS = 30_000;
const LOOK_MS = 50;

export interface Outcome {
  readonly violations: readonly string[];
  readonly trace: readonly string[];
  readonly digest: string;
  readonly operations: number;
  readonly answered: number;
  readonly revision: number;
  readonly entries: number;
}

/** Runs a plan to its end, or to the first violation. */
export async function run(plan: Plan): Promise<Outcome> {
  const one = new Run(plan);
  await one.run();
  const { trace, violations, agreement } = one.cluster;
  const { operations } = one.load;
  return {
    violations,
    trace: trace.lines,
    digest: trace.digest(),
    operations: operations.length,
    answered: operations.filter(({ answer }) => answer !== undefined).length,
    revision: agreement.revision,
    entries: agreement.lastIndex,
  };
}

class Run {
  readonly cluster: Cluster;
  readonly load: Load;
  readonly #plan: Plan;
  readonly #watchers: Watcher[] = [];
  #isOver = false;

  constructor(plan: Plan) {
    this.#plan = plan;
    SLICE.nanoseconds = plan.sliceNanoseconds;
    this.cluster = new Cluster(plan);
    const drifts = plan.faults.some(({ kind }) => kind === "drift");
    this.load = new Load(drifts ? 1 / FASTEST : 1);
  }

  async run(): Promise<void> {
    const { cluster } = this;
    let failure: unknown;
    this.#live().catch((error: unknown) => {
      failure = error;
      this.#isOver = true;
    });
    await cluster.clock.runUntil(() => this.#isOver || cluster.violations.length > 0);
    if (failure !== undefined) throw failure;
    if (cluster.violations.length > 0) return;
    const watches = [
      cluster.agreement.watched,
      ...this.#watchers.flatMap(({ watched }) => watched),
    ];
    for (const violation of checkHistory({ operations: this.load.operations, watches })) {
      cluster.violate(violation);
    }
  }

  async #live(): Promise<void> {
    const { cluster, load } = this;
    const { clock } = cluster;
    const random = new Prng(this.#plan.seed ^ 0xc11e);
    cluster.boot();
    const operator = new Operator(cluster, random.next());
    const faults = new Faults(cluster, this.#plan, operator);
    this.#watchLeaders();
    this.#begin(random);
    await clock.sleep(this.#plan.ms);
    load.isOver = true;
    faults.stop();
    cluster.say("***", "all is well");
    await operator.finish();
    await this.#compare();
    await this.#awaitWatchers();
    this.#isOver = true;
  }

  #begin(random: Prng): void {
    const { cluster, load } = this;
    const { clients, pauseMs, watchers } = this.#plan;
    for (let number = 1; number <= clients; number++) {
      const options = { name: `c${number}`, world: cluster, load, pauseMs };
      this.#spawn(new Client({ ...options, seed: random.next() }).run());
    }
    for (let number = 1; number <= watchers; number++) {
      const kind = WATCHES[(number - 1) % WATCHES.length]!;
      const watcher = new Watcher({
        ...kind,
        name: `w${number}`,
        world: cluster,
        seed: random.next(),
        from: () => (kind.isFromNow ? 0 : 2),
      });
      this.#watchers.push(watcher);
      const after = kind.isFromNow ? random.below(5000) : 0;
      cluster.clock.after(after, () => this.#spawn(watcher.run(() => this.#isOver)));
    }
  }

  /** What fails here is a fault of the simulation. */
  #spawn(work: Promise<void>): void {
    work.catch((error: unknown) => this.cluster.violate(`${(error as Error).stack}`));
  }

  /** No term has two leaders. */
  #watchLeaders(): void {
    const { cluster } = this;
    const look = (): void => {
      void cluster.leader;
      if (!this.#isOver) cluster.clock.after(LOOK_MS, look);
    };
    look();
  }

  /** Waits until every machine has a member that serves and has applied what the others have. */
  async #settle(): Promise<void> {
    const { cluster } = this;
    const until = cluster.clock.now + SETTLE_MS;
    for (let calm = 0; calm < 10; ) {
      if (cluster.clock.now > until) {
        cluster.violate(`they do not agree again: ${this.#where()}`);
        return;
      }
      await cluster.clock.sleep(LOOK_MS);
      calm = this.#isEven() ? calm + 1 : 0;
    }
  }

  #isEven(): boolean {
    const { machines, agreement } = this.cluster;
    return machines.every(
      ({ isSpare, host }) => isSpare || host?.member?.state.appliedIndex === agreement.lastIndex,
    );
  }

  #where(): string {
    const { machines, agreement } = this.cluster;
    const each = machines.map(({ name, life }) => {
      const status = life?.member?.raftStatus();
      const index = life?.member?.state.appliedIndex;
      return `${name} ${status?.softState.role ?? "down"} term ${status?.term} at ${index}`;
    });
    return `${each.join(", ")}; the last entry is ${agreement.lastIndex}`;
  }

  /** All members have the same store; what clients gave up on may still change it for a while. */
  async #compare(): Promise<void> {
    const { agreement, violations, clock } = this.cluster;
    const until = clock.now + 2 * SETTLE_MS;
    for (;;) {
      await this.#settle();
      await this.#mark();
      await this.#settle();
      const { lastIndex } = agreement;
      const hashes = await this.#hashes();
      if (violations.length > 0) return;
      this.cluster.say("***", `hashes ${[...hashes.values()].join("; ")}`);
      if (!hashes.has("") && new Set(hashes.values()).size === 1) return;
      if (lastIndex !== agreement.lastIndex && clock.now < until) continue;
      this.cluster.violate(`the stores differ: ${JSON.stringify([...hashes])}`);
    }
  }

  /** A revision at which nothing was compacted: a compaction's own hash is of what was before it. */
  async #mark(): Promise<void> {
    const { clock, machines } = this.cluster;
    const caller = new Caller("judge", this.cluster);
    const host = machines.find((machine) => machine.host !== undefined)!;
    const value = `judge-${clock.now}`;
    const request = { kind: "put", key: "k/judge", value } as const;
    const operation: Operation = { by: "judge", calledAt: clock.now, request };
    this.load.operations.push(operation);
    const { path, bytes, decode } = encode(request);
    const { body } = await caller.ask(host.name, path, bytes, SETTLE_MS);
    operation.endedAt = clock.now;
    if (body !== undefined) operation.answer = decode(body);
  }

  /** HashKV of all members at one revision, after a linearizable read of each; "": who has none. */
  async #hashes(): Promise<Map<string, string>> {
    const { cluster } = this;
    const caller = new Caller("judge", cluster);
    const hashes = new Map<string, string>();
    // Leases may still end meanwhile.
    const { revision } = cluster.agreement;
    for (const { name } of cluster.machines.filter(({ isSpare }) => !isSpare)) {
      await this.#read(caller, name);
      const request = encodeMessage(api.HashKVRequest, { revision });
      const path = "/etcdserverpb.Maintenance/HashKV";
      const { code, message, body } = await caller.ask(name, path, request, SETTLE_MS);
      if (code !== 0 || body === undefined) {
        hashes.set("", `${name}: ${message}`);
        continue;
      }
      const { hash, compactRevision, hashRevision } = decodeMessage(api.HashKVResponse, body);
      hashes.set(name, `${hash} of ${hashRevision}, compacted at ${compactRevision}`);
    }
    return hashes;
  }

  /** It may take a while: leaders may still change. */
  async #read(caller: Caller, name: string): Promise<void> {
    const { cluster } = this;
    const range = encodeMessage(api.RangeRequest, { key: Uint8Array.of(0) });
    const until = cluster.clock.now + SETTLE_MS;
    for (;;) {
      const { code, message } = await caller.ask(name, "/etcdserverpb.KV/Range", range, SETTLE_MS);
      if (code === 0) return;
      if (cluster.clock.now > until) {
        cluster.violate(`${name} does not answer a read: ${message}`);
        return;
      }
    }
  }

  async #awaitWatchers(): Promise<void> {
    const { cluster } = this;
    const until = cluster.clock.now + SETTLE_MS;
    const { revision } = cluster.agreement;
    while (this.#watchers.some(({ reached }) => reached < revision)) {
      if (cluster.clock.now > until) {
        const reached = this.#watchers.map((watcher) => watcher.reached);
        cluster.violate(`watches have reached ${reached.join(", ")} of ${revision}`);
        return;
      }
      await cluster.clock.sleep(LOOK_MS);
    }
  }
}

const WATCHES = [
  { key: "", end: END, isFromNow: false, hasFragments: true, isSlow: true },
  { key: "k/1", end: "k/2", isFromNow: false, hasFragments: false, isSlow: true },
  { key: "", end: END, isFromNow: true, hasFragments: false, isSlow: false },
  { key: "l/", end: "l0", isFromNow: true, hasFragments: true, isSlow: false },
];

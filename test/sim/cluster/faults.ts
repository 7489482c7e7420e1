import { FAIR } from "./network.ts";
import type { Fault, Place, Plan, Who } from "./plan.ts";
import type { Operator } from "./operator.ts";
import type { Cluster } from "./cluster.ts";
import type { Machine } from "./machine.ts";

/** Calls that change a file. */
const CALLS: Readonly<Record<Place, RegExp>> = {
  wal: /^(write|sync|rename|truncate) .*\/wal\//,
  db: /^(write|sync|truncate) .*db\b/,
  snap: /^(write|sync|rename|unlink|create) .*(\.snap|snap\/tmp)/,
};

/** How often a flapping link changes. */
const FLAP_MS = 150;
/** How much slower a slow disk is. */
const SLOW = 40;

/**
 * Makes the faults of a plan happen, until it is stopped: then everything is made
 * good, but for pauses, which end by themselves.
 */
export class Faults {
  readonly #cluster: Cluster;
  readonly #plan: Plan;
  readonly #operator: Operator;
  /** What ends the faults that are under way. */
  readonly #ends = new Set<() => void>();
  #isOver = false;

  constructor(cluster: Cluster, plan: Plan, operator: Operator) {
    this.#cluster = cluster;
    this.#operator = operator;
    this.#plan = plan;
    for (const fault of plan.faults) {
      cluster.clock.at(fault.at, () => {
        if (!this.#isOver) this.#begin(fault);
      });
    }
  }

  stop(): void {
    this.#isOver = true;
    for (const end of this.#ends) end();
    this.#ends.clear();
    this.#cluster.network.mendAll();
    this.#cluster.network.weather = FAIR;
  }

  #begin(fault: Fault): void {
    const { at: _at, ms, kind, ...rest } = fault;
    this.#cluster.say("***", `${kind} ${JSON.stringify(rest)} for ${ms} ms`);
    switch (fault.kind) {
      case "kill":
        return this.#find(fault.who).crash("killed", ms);
      case "power":
        return this.#find(fault.who).crash("power lost", ms);
      case "crashAt":
        return this.#find(fault.who).crashAt(
          CALLS[fault.of],
          fault.isKill ? "killed" : "power lost",
          fault.ms,
        );
      case "powerOfAll":
        for (const machine of this.#cluster.machines) machine.crash("power lost", ms);
        return;
      case "stop":
        return this.#find(fault.who).stop(ms);
      case "pause":
        return this.#find(fault.who).clock.freeze(ms, fault.clock);
      case "wallJump":
        this.#find(fault.who).wallOffset += fault.by;
        return;
      case "drift":
        return this.#drift(fault);
      case "defragment":
        return this.#defragment(this.#find(fault.who));
      case "join":
      case "downgrade":
        return this.#operator[fault.kind]();
      case "leave":
      case "update":
      case "move":
        return this.#operator[fault.kind](this.#find(fault.who));
      case "diskFull":
      case "slowDisk":
      case "diskError":
        return this.#spoilDisk(fault);
      default:
        return this.#spoilNetwork(fault);
    }
  }

  #find(who: Who): Machine {
    const { leader, machines } = this.#cluster;
    return (who === "leader" ? leader : machines[who]) ?? machines[0]!;
  }

  #until(ms: number, end: () => void): void {
    this.#ends.add(end);
    this.#cluster.clock.after(ms, () => {
      if (this.#ends.delete(end)) end();
    });
  }

  #drift({ who, rate, ms }: Fault & { kind: "drift" }): void {
    const { clock } = this.#find(who);
    clock.setRate(rate);
    this.#until(ms, () => clock.setRate(1));
  }

  #defragment({ life }: Machine): void {
    if (life?.isServing === true) life.member?.spawn(life.member.defragment());
  }

  #spoilDisk(fault: Fault & { kind: "diskFull" | "slowDisk" | "diskError" }): void {
    const { life } = this.#find(fault.who);
    if (life === undefined) return;
    if (fault.kind === "diskError") {
      life.disk.failNext(fault.of === "wal" ? /^(write|sync) .*\.wal\b/ : /^(write|sync) .*db\b/);
    } else if (fault.kind === "diskFull") {
      life.disk.isFull = true;
      this.#until(fault.ms, () => {
        life.disk.isFull = false;
      });
    } else {
      life.time.diskFactor = SLOW;
      this.#until(fault.ms, () => {
        life.time.diskFactor = 1;
      });
    }
  }

  #spoilNetwork(fault: Fault): void {
    const { network } = this.#cluster;
    const ways = this.#waysCutBy(fault);
    if (ways.length > 0) {
      for (const [from, to] of ways) network.cut(from, to);
      if (fault.kind === "flap") this.#flap(ways, fault.ms);
      else {
        this.#until(fault.ms, () => {
          for (const [from, to] of ways) network.mend(from, to);
        });
      }
    }
    if (fault.kind !== "storm") return;
    network.weather = fault.weather;
    this.#until(fault.ms, () => {
      network.weather = this.#plan.weather;
    });
  }

  #flap(ways: readonly (readonly [string, string])[], msLeft: number): void {
    const { network, clock } = this.#cluster;
    clock.after(FLAP_MS, () => {
      if (this.#isOver) return;
      for (const [from, to] of ways) network.mend(from, to);
      if (msLeft < 2 * FLAP_MS) return;
      clock.after(FLAP_MS, () => {
        if (this.#isOver) return;
        for (const [from, to] of ways) network.cut(from, to);
        this.#flap(ways, msLeft - 2 * FLAP_MS);
      });
    });
  }

  #waysCutBy(fault: Fault): (readonly [string, string])[] {
    const names = this.#cluster.machines.map(({ name }) => name);
    switch (fault.kind) {
      case "isolate":
      case "flap": {
        const { name } = this.#find(fault.who);
        const others = names.filter((other) => other !== name);
        const ways = fault.kind === "flap" ? "both" : fault.ways;
        const into = others.map((other) => [other, name] as const);
        const out = others.map((other) => [name, other] as const);
        return ways === "in" ? into : ways === "out" ? out : [...into, ...out];
      }
      case "split": {
        const [left, right] = [names.slice(0, fault.first), names.slice(fault.first)];
        return left.flatMap((a) => right.flatMap((b) => [[a, b] as const, [b, a] as const]));
      }
      case "cut": {
        const [from, to] = [this.#find(fault.from).name, this.#find(fault.to).name];
        return from === to ? [] : [[from, to]];
      }
      case "clientsCut": {
        const { name } = this.#find(fault.who);
        const clients = ["c", "w"].flatMap((kind) => [1, 2, 3, 4, 5].map((n) => `${kind}${n}`));
        return clients.flatMap((client) => [[client, name] as const, [name, client] as const]);
      }
      default:
        return [];
    }
  }
}

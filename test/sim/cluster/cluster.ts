import { Prng } from "../../../src/base/index.ts";
import { type Birth, foundByConfig } from "../../../src/server/birth.ts";
import { type Config, makeConfig } from "../../../src/server/config.ts";
import { parseFlags } from "../../../src/server/flags.ts";
import { Agreement } from "./agreement.ts";
import { Clock } from "./clock.ts";
import type { Life } from "./life.ts";
import { Machine } from "./machine.ts";
import { Network } from "./network.ts";
import { PeerLinks } from "./peer-links.ts";
import type { Plan } from "./plan.ts";
import { Trace } from "./trace.ts";

const TICK_MS = 50;
const ELECTION_MS = 500;

/** All machines, what is between them, and what must never differ among them. */
export class Cluster {
  readonly clock = new Clock();
  readonly trace = new Trace(() => this.clock.now);
  readonly network: Network;
  readonly agreement: Agreement;
  readonly machines: Machine[] = [];
  readonly violations: string[] = [];
  readonly founding: Birth;
  readonly say = (who: string, what: string): void => this.trace.say(who, what);
  readonly #plan: Plan;

  constructor(plan: Plan) {
    this.#plan = plan;
    const random = new Prng(plan.seed ^ 0x5eed);
    this.network = new Network(this.clock, random.next());
    this.network.weather = plan.weather;
    this.agreement = new Agreement({
      now: () => this.clock.now,
      founders: plan.machines,
      say: (violation) => this.violate(violation),
    });
    for (let number = 1; number <= plan.machines + plan.spares; number++) {
      const isSpare = number > plan.machines;
      this.machines.push(new Machine(`m${number}`, this, random.next(), isSpare));
    }
    this.founding = foundByConfig(this.configOf("m1"));
  }

  /** The founders begin. */
  boot(): void {
    for (const { name, id } of this.founding.members) {
      this.machines.find((machine) => machine.name === name)!.found(id);
    }
  }

  violate(what: string): void {
    this.trace.say("!!!", what);
    this.violations.push(what);
  }

  /** Who says that it leads, in the latest term. */
  get leader(): Machine | undefined {
    let latest: Machine | undefined;
    let latestTerm = 0;
    for (const machine of this.machines) {
      const status = machine.life?.member?.raftStatus();
      if (status?.softState.role !== "leader") continue;
      this.agreement.leads(machine.name, status.term);
      if (status.term <= latestTerm) continue;
      latest = machine;
      latestTerm = status.term;
    }
    return latest;
  }

  link(life: Life, inbox: Life["inbox"]): PeerLinks {
    const { network, clock } = this;
    const promises = this.machines.find(({ name }) => name === life.name)?.promises;
    return new PeerLinks(
      {
        network,
        name: life.name,
        peerOn: (machine) => {
          const peer = this.machines.find(({ name }) => name === machine)?.life;
          return peer?.isReachable === true ? peer : undefined;
        },
        now: () => clock.now,
        after: (ms, work) => clock.after(ms, () => life.arrive(work)),
        afterAnyway: (ms, work) => clock.after(ms, work),
        localNow: () => life.time.now(),
        say: (what) => this.say(life.name, what),
        sent: (message) => promises?.sent(message),
        removed: () => void life.stop("removed"),
      },
      inbox,
    );
  }

  /** Where a process ends its connections break, and new ones are refused: the others notice. */
  gone(machine: Machine, id: bigint): void {
    for (const { name, life } of this.machines) {
      if (life === undefined || this.network.openSince(name, machine.name) === undefined) continue;
      this.clock.after(2 * this.network.delay(), () => {
        const isBack = machine.life?.isReachable === true;
        if (!isBack && life.isReachable) life.arrive(() => life.inbox.reportGone(id));
      });
    }
  }

  configOf(name: string): Config {
    const urlOf = (machine: string) => `http://${machine}:2380`;
    const founders = this.machines.slice(0, this.#plan.machines);
    const cluster = founders.map((machine) => `${machine.name}=${urlOf(machine.name)}`);
    const { settings } = this.#plan;
    const flags = {
      name,
      "data-dir": "/data",
      "initial-cluster": cluster.join(","),
      "initial-advertise-peer-urls": urlOf(name),
      "heartbeat-interval": `${TICK_MS}`,
      "election-timeout": `${ELECTION_MS}`,
      "max-snapshots": "2",
      "max-wals": "2",
      "watch-progress-notify-interval": "1s",
    };
    const given = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
    const config = makeConfig(parseFlags(given, {}));
    return {
      ...config,
      ...settings,
      features: {
        ...config.features,
        compactHashCheck: true,
        initialCorruptCheck: settings.checksInitially,
        // A leader whose clock stood still with it cannot tell by that how long it was away.
        fastLeaseKeepAlive: !this.#plan.faults.some(
          (fault) => fault.kind === "pause" && fault.clock === "stands",
        ),
      },
      batchOperationsMax: settings.batchOperations,
    };
  }
}

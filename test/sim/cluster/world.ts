import { Prng } from "../../../src/base/index.ts";
import type { Member } from "../../../src/member/index.ts";
import { type Birth, foundByConfig } from "../../../src/server/birth.ts";
import { type Config, makeConfig } from "../../../src/server/config.ts";
import { parseFlags } from "../../../src/server/flags.ts";
import { drawSurvival, newDisk } from "../data-dir.ts";
import { Agreement } from "./agreement.ts";
import { Clock } from "./clock.ts";
import { type End, Life } from "./life.ts";
import { MachineClock } from "./machine-time.ts";
import { Network } from "./network.ts";
import { PeerLinks } from "./peer-links.ts";
import { Promises } from "./promises.ts";
import type { Plan } from "./plan.ts";
import { Trace } from "./trace.ts";

/** How long it takes until a process that ended by itself is started again. */
const RESTART_MS = 1000;
const TICK_MS = 50;
const ELECTION_MS = 500;
/** The wall clock at the beginning. */
const WALL_MS = 1_700_000_000_000;

/** A machine that goes on when the process on it ends: a disk, a clock, a place on the network. */
export class Machine {
  readonly name: string;
  readonly clock: MachineClock;
  readonly #world: Cluster;
  readonly #random: Prng;
  #disk = newDisk();
  #life: Life | undefined;
  /** Reasons why no process is to run here. */
  #downs = 0;
  #revision = 0;
  wallOffset = 0;
  /** Whether it has no member, and nobody is about to give it one. */
  isSpare: boolean;
  memberId: bigint | undefined;
  promises = new Promises();
  /** Where its member is born into a cluster that is there. */
  #birth: Birth | undefined;

  constructor(name: string, world: Cluster, seed: number, isSpare: boolean) {
    this.name = name;
    this.isSpare = isSpare;
    this.#world = world;
    this.#random = new Prng(seed);
    this.clock = new MachineClock(world.clock);
  }

  /** The process that runs here. */
  get life(): Life | undefined {
    return this.#life?.isAlive === true ? this.#life : undefined;
  }

  /** The same, where clients are served. */
  get host(): Life | undefined {
    return this.life?.isServing === true ? this.life : undefined;
  }

  get isDown(): boolean {
    return this.#downs > 0;
  }

  boot(): void {
    if (this.life !== undefined || this.isDown || this.memberId === undefined) return;
    const world = this.#world;
    const say = (what: string) => world.say(this.name, what);
    say("boots");
    this.#revision = 0;
    this.#life = new Life({
      name: this.name,
      clock: this.clock,
      disk: this.#disk,
      config: world.configOf(this.name),
      birth: this.#birth,
      seed: this.#random.next(),
      wallMs: () => Math.floor(WALL_MS + world.clock.now + this.wallOffset),
      bornAt: world.clock.now,
      say,
      links: (life, inbox) => world.link(life, inbox),
      begun: (member) => this.#begun(member),
      revised: ({ revision }) => this.#revised(revision),
      restored: (revision) => (this.#revision = revision),
      ended: (end) => this.#ended(end),
      broken: (error) => world.violate(`${this.name} died: ${textOf(error)}`),
    });
  }

  /** Begins to be one of those who begin the cluster. */
  found(memberId: bigint): void {
    this.memberId = memberId;
    this.boot();
  }

  /** Begins anew as a member of the cluster that is there. */
  join(birth: Birth): void {
    this.#disk = newDisk();
    this.promises = new Promises();
    this.#birth = birth;
    this.memberId = birth.ids.memberId;
    this.boot();
  }

  /** The process ends, or the power fails, and comes again later. */
  crash(how: "killed" | "power lost", ms: number): void {
    this.#downs++;
    this.#life?.end(how);
    if (how === "power lost") this.#losePower();
    this.#world.clock.after(ms, () => this.#up());
  }

  /** The same, as the next file call that matches begins. */
  crashAt(call: RegExp, how: "killed" | "power lost", ms: number): void {
    const { life } = this;
    if (life === undefined) return;
    life.onCut = () => this.crash(how, ms);
    life.disk.endNext(how === "killed" ? "killed" : "cut", call);
  }

  /** The process is asked to end, and does so in time or is killed. */
  stop(ms: number): void {
    const { life } = this;
    if (life === undefined) return;
    this.#downs++;
    void life.stop();
    this.#world.clock.after(STOP_MS, () => life.end("killed"));
    this.#world.clock.after(STOP_MS + ms, () => this.#up());
  }

  #up(): void {
    this.#downs--;
    this.boot();
  }

  #losePower(): void {
    this.#disk = this.#disk.afterPowerLoss(drawSurvival(this.#random));
  }

  #begun(member: Member): void {
    const forgotten = this.promises.forgottenBy(member);
    if (forgotten !== undefined) this.#world.violate(`${this.name} had promised ${forgotten}`);
    this.#revision = member.state.store.currentRevision;
    this.#world.agreement.observe(this.name, member);
  }

  #revised(revision: number): void {
    if (revision !== this.#revision + 1) {
      this.#world.violate(`${this.name} told revision ${revision} after ${this.#revision}`);
    }
    this.#revision = revision;
  }

  #ended(end: End): void {
    if (end !== "power lost" && this.memberId !== undefined) this.#world.gone(this, this.memberId);
    // The rest of what had been asked of it is done by then, or never.
    if (end === "disk failed") this.#world.clock.after(RESTART_MS, () => this.boot());
    if (end !== "removed") return;
    this.memberId = undefined;
    this.isSpare = true;
  }
}

const STOP_MS = 3000;

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

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

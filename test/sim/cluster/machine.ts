import { Prng } from "../../../src/base/index.ts";
import type { Member } from "../../../src/member/index.ts";
import type { Birth } from "../../../src/server/birth.ts";
import { drawSurvival, newDisk } from "../data-dir.ts";
import type { Cluster } from "./cluster.ts";
import { type End, Life } from "./life.ts";
import { MachineClock } from "./machine-time.ts";
import { Promises } from "./promises.ts";

/** How long it takes until a process that ended by itself is started again. */
const RESTART_MS = 1000;
/** How long a process that is asked to end has for it. */
const STOP_MS = 3000;
/** The wall clock at the beginning. */
const WALL_MS = 1_700_000_000_000;

/** A machine that goes on when the process on it ends: a disk, a clock, a place on the network. */
export class Machine {
  readonly name: string;
  readonly clock: MachineClock;
  readonly #cluster: Cluster;
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

  constructor(name: string, cluster: Cluster, seed: number, isSpare: boolean) {
    this.name = name;
    this.isSpare = isSpare;
    this.#cluster = cluster;
    this.#random = new Prng(seed);
    this.clock = new MachineClock(cluster.clock);
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
    const cluster = this.#cluster;
    const say = (what: string) => cluster.say(this.name, what);
    say("boots");
    this.#revision = 0;
    this.#life = new Life({
      name: this.name,
      clock: this.clock,
      disk: this.#disk,
      config: cluster.configOf(this.name),
      birth: this.#birth,
      seed: this.#random.next(),
      wallMs: () => Math.floor(WALL_MS + cluster.clock.now + this.wallOffset),
      bornAt: cluster.clock.now,
      say,
      links: (life, inbox) => cluster.link(life, inbox),
      begun: (member) => this.#begun(member),
      revised: ({ revision }) => this.#revised(revision),
      restored: (revision) => (this.#revision = revision),
      ended: (end) => this.#ended(end),
      broken: (error) => cluster.violate(`${this.name} died: ${textOf(error)}`),
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
    this.#cluster.clock.after(ms, () => this.#up());
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
    this.#cluster.clock.after(STOP_MS, () => life.end("killed"));
    this.#cluster.clock.after(STOP_MS + ms, () => this.#up());
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
    if (forgotten !== undefined) this.#cluster.violate(`${this.name} had promised ${forgotten}`);
    this.#revision = member.state.store.currentRevision;
    this.#cluster.agreement.observe(this.name, member);
  }

  #revised(revision: number): void {
    if (revision !== this.#revision + 1) {
      this.#cluster.violate(`${this.name} told revision ${revision} after ${this.#revision}`);
    }
    this.#revision = revision;
  }

  #ended(end: End): void {
    if (end !== "power lost" && this.memberId !== undefined)
      this.#cluster.gone(this, this.memberId);
    // The rest of what had been asked of it is done by then, or never.
    if (end === "disk failed") this.#cluster.clock.after(RESTART_MS, () => this.boot());
    if (end !== "removed") return;
    this.memberId = undefined;
    this.isSpare = true;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

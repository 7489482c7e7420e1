import { Prng } from "../../../src/base/index.ts";
import type { ServerCall } from "../../../src/grpc/index.ts";
import type { Member, PeerInbox } from "../../../src/member/index.ts";
import { type ChangeList, WatchHub } from "../../../src/mvcc/index.ts";
import { Logger, type LogLevel } from "../../../src/observe/index.ts";
import { fail } from "../../../src/proto/index.ts";
import { Pipeline, Service, WatchService } from "../../../src/rpc/index.ts";
import type { Birth } from "../../../src/server/birth.ts";
import { BootError, bootIn } from "../../../src/server/boot.ts";
import type { Config } from "../../../src/server/config.ts";
import { DIR, isOfDisk } from "../data-dir.ts";
import type { Disk } from "../disk.ts";
import { DiskCalls } from "../disk-calls.ts";
import type { ClientCall, Host } from "./call.ts";
import { LifeTime, type MachineClock } from "./machine-time.ts";
import type { Peer, PeerLinks } from "./peer-links.ts";

/** Small, so that everything that happens once in a while happens soon. */
const SEGMENT_BYTES = 8 * 1024;
const PAGE_GROWTH_BYTES = 16 * 1024;
const WATCH_TICK_MS = 100;
const FRAGMENT_BYTES = 2000;

/** How a life ends: by itself, by a disk that failed, from outside. */
export type End = "stopped" | "removed" | "disk failed" | "killed" | "power lost";

export interface LifeOptions {
  readonly name: string;
  readonly clock: MachineClock;
  readonly disk: Disk;
  readonly config: Config;
  /** Where it is born into a cluster that is there. */
  readonly birth: Birth | undefined;
  readonly seed: number;
  readonly wallMs: () => number;
  readonly bornAt: number;
  readonly say: (what: string) => void;
  /** Links to the other members, which end with this life. */
  readonly links: (life: Life, inbox: PeerInbox) => PeerLinks;
  /** A member that has begun: it is observed from its first entry on. */
  readonly begun: (member: Member) => void;
  readonly revised: (changes: ChangeList) => void;
  /** A snapshot of the leader took the place of the state: revisions were passed over. */
  readonly restored: (revision: number) => void;
  /** It ended by itself, or may not have. */
  readonly ended: (end: End) => void;
  readonly broken: (error: unknown) => void;
}

/** A member's process: from its boot to its end, whichever that is. */
export class Life implements Host, Peer {
  readonly name: string;
  readonly time: LifeTime;
  readonly bornAt: number;
  readonly calls = new Set<ClientCall>();
  readonly disk: DiskCalls;
  isAlive = true;
  /** Told when the file call has come at which the power was to fail. */
  onCut = (): void => {};
  member: Member | undefined;
  links: PeerLinks | undefined;
  readonly #options: LifeOptions;
  #inbox: PeerInbox | undefined;
  #serve: ((call: ServerCall) => void) | undefined;

  constructor(options: LifeOptions) {
    const { name, clock, seed, disk } = options;
    this.#options = options;
    this.name = name;
    this.bornAt = options.bornAt;
    this.time = new LifeTime(clock, seed);
    const { time } = this;
    this.disk = new DiskCalls({
      disk,
      time,
      seed,
      fault: undefined,
      onEnd: () => this.onCut(),
      isBrief: true,
    });
    this.#live().catch((error: unknown) => this.#died(error));
  }

  get inbox(): PeerInbox {
    return this.#inbox!;
  }

  /** Whether other members can reach it. */
  get isReachable(): boolean {
    return this.isAlive && this.#inbox !== undefined;
  }

  get isServing(): boolean {
    return this.isAlive && this.#serve !== undefined;
  }

  serve(call: ServerCall): void {
    if (this.#serve === undefined) call.end(fail("stopped"));
    else this.#serve(call);
  }

  arrive(work: () => void): void {
    this.time.arrive(work);
  }

  /** The process ends as it is; what of its files is kept is decided by whoever ends it. */
  end(end: End): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.time.isOver = true;
    // What a process has asked for is carried out; when the power fails it may not be.
    if (end !== "power lost") this.disk.end();
    this.links?.ended();
    for (const call of this.calls) call.hostEnded(end === "power lost" ? "machine" : "process");
    this.calls.clear();
    this.#options.say(`ends: ${end}`);
    this.#options.ended(end);
  }

  /** As a signal does it. */
  async stop(end: "stopped" | "removed" = "stopped"): Promise<void> {
    this.#serve = undefined;
    for (const call of this.calls) call.end(fail("stopped"));
    try {
      if (end === "stopped") await this.member?.handOver();
      await this.member?.stop();
      this.end(end);
    } catch (error) {
      this.#died(error);
    }
  }

  #died(error: unknown): void {
    if (!this.isAlive) return;
    if (isOfDisk(error)) this.end("disk failed");
    else if (error instanceof BootError && /was removed/.test(error.message)) this.end("removed");
    else this.#options.broken(error);
  }

  async #live(): Promise<void> {
    const { config, seed, begun, birth } = this.#options;
    const random = new Prng(seed);
    let onRevision = (_changes: ChangeList): void => {};
    let onRestored = (): void => {};
    const { member, store } = await bootIn(
      DIR,
      {
        config,
        logger: new TraceLogger((text) => this.#options.say(text)),
        onRevision: (changes) => {
          this.#options.revised(changes);
          onRevision(changes);
        },
        onRestored: () => onRestored(),
        ...(birth && { bear: async () => birth }),
        onRemoved: () => void this.stop("removed"),
        flush: () => {},
        connect: (inbox) => {
          this.#inbox = inbox;
          this.links = this.#options.links(this, inbox);
          return this.links;
        },
        onFatal: (error) => this.#died(error),
      },
      {
        io: this.disk,
        lock: async () => {},
        time: this.time,
        wallMs: this.#options.wallMs,
        random: (bound) => random.below(bound),
        segmentBytes: SEGMENT_BYTES,
        pageGrowthBytes: PAGE_GROWTH_BYTES,
      },
    );
    this.member = member;
    begun(member);
    const hub = new WatchHub(store, () => member.runSoon(() => hub.catchUp()));
    onRevision = (changes) => hub.publish(changes);
    onRestored = () => {
      this.#options.restored(store.currentRevision);
      hub.restored(store);
    };
    const pipeline = new Pipeline(this.#service(member, hub, random));
    member.every(config.electionMs, () => pipeline.lookForLeader());
    const problem = config.features.initialCorruptCheck && (await member.checkInitially());
    if (problem) throw new Error(problem);
    member.start();
    const { name, advertiseClientUrls: clientUrls } = config;
    await member.publish({ name, clientUrls });
    await member.versionKnown();
    this.#serve = (call) => pipeline.serve(call);
    this.#options.say("serves");
  }

  #service(member: Member, hub: WatchHub, random: Prng): Service {
    const { config } = this.#options;
    const watches = new WatchService({
      hub,
      ...member.ids,
      raftTerm: () => member.state.appliedTerm,
      permit: () => undefined,
      random: () => random.below(1000) / 1000,
      progressIntervalMs: config.watchProgressMs,
      fragmentBytes: FRAGMENT_BYTES,
    });
    member.every(WATCH_TICK_MS, () => watches.tick(member.now()));
    return new Service({
      member,
      watches,
      limits: { ...config, stopsOnDefragment: false },
      memory: { admits: () => true },
      lines: new TraceLogger((text) => this.#options.say(text)),
      serviceNames: [],
    });
  }
}

/** A member's log, as part of the trace. */
class TraceLogger extends Logger {
  readonly #say: (text: string) => void;

  constructor(say: (text: string) => void) {
    super({ level: "fatal" });
    this.#say = say;
  }

  /** The parts of a member speak here, too; raft only when something is wrong. */
  override named(): Logger {
    return this;
  }

  override isOn(level: LogLevel): boolean {
    return level !== "debug" && level !== "info";
  }

  override info(message: string, fields?: object): void {
    this.#line("info", message, fields);
  }

  override warn(message: string, fields?: object): void {
    this.#line("warn", message, fields);
  }

  override error(message: string, fields?: object): void {
    this.#line("error", message, fields);
  }

  override fatal(message: string, fields?: object): void {
    this.#line("fatal", message, fields);
  }

  #line(level: string, message: string, fields: object = {}): void {
    const text = JSON.stringify(fields, (_key, value: unknown) =>
      typeof value === "bigint"
        ? value.toString(16)
        : value instanceof Error
          ? value.message
          : value,
    );
    this.#say(`${level} ${message}${text === "{}" ? "" : ` ${text}`}`);
  }
}

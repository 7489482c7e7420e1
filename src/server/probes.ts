import { quoteText } from "../base/index.ts";
import { errorPage, type Page, type PageMaker, type RequestHead } from "../http/index.ts";
import type { Member } from "../member/index.ts";
import type { Logger } from "../observe/index.ts";
import { api } from "../proto/index.ts";

/** One question of `/livez` or `/readyz`. Resolves to why not, or undefined when all is well. */
type Check = (member: Member) => Promise<string | undefined>;

const serializableRead: Check = async (member) =>
  member.isStopped ? "etcdserver: server stopped" : undefined;

const linearizableRead: Check = async (member) => (await member.caughtUp())?.message;

const nonLearner: Check = async ({ state, ids }) =>
  state.members.get(ids.memberId)?.isLearner ? "not supported for learner" : undefined;

const dataCorruption: Check = async ({ state }) =>
  state.alarms.list(api.ALARM_TYPE.CORRUPT).length > 0 ? "alarm activated: CORRUPT" : undefined;

type Checks = Readonly<Record<string, Check>>;

const PROBES: Readonly<Record<string, Checks>> = {
  livez: { serializable_read: serializableRead },
  readyz: {
    data_corruption: dataCorruption,
    serializable_read: serializableRead,
    linearizable_read: linearizableRead,
    non_learner: nonLearner,
  },
};

/** How the checks of one name in one probe came out, for `/metrics`. */
export interface CheckTally {
  readonly probe: string;
  readonly name: string;
  isWell: boolean;
  success: number;
  error: number;
}

/**
 * `/livez` and `/readyz`, as a whole and check by check, and what the log says of them (etcd
 * `etcdhttp/health.go`).
 */
export class Probes {
  readonly #member: Member;
  readonly #logger: Logger;
  readonly #tallies = new Map<string, CheckTally>();

  constructor(member: Member, logger: Logger) {
    this.#member = member;
    this.#logger = logger;
  }

  /** The checks that have run, each once. */
  get tallies(): Iterable<CheckTally> {
    return this.#tallies.values();
  }

  /** The page of `/livez`, `/readyz` or `/readyz/<check>`; undefined for other paths. */
  find(path: string): PageMaker | undefined {
    const [, probe = "", , name] = /^\/(livez|readyz)(\/(\w+))?$/.exec(path) ?? [];
    const checks = PROBES[probe];
    if (checks === undefined) return undefined;
    if (name === undefined) {
      const make: PageMaker["make"] = (head) => {
        const excluded = new Set(head.query.getAll("exclude").filter((each) => each !== ""));
        const names = Object.keys(checks).filter((each) => !excluded.delete(each));
        if (excluded.size > 0) this.#logMissing(excluded);
        return this.#run(probe, names, head);
      };
      return { isGetOnly: true, make };
    }
    if (!Object.hasOwn(checks, name)) return undefined;
    return { isGetOnly: true, make: (head) => this.#run(probe, [name], head) };
  }

  async #run(probe: string, names: readonly string[], { path, query }: RequestHead): Promise<Page> {
    let text = "";
    let isWell = true;
    for (const name of names) {
      const failure = await PROBES[probe]![name]!(this.#member);
      this.#count(probe, name, failure === undefined);
      if (failure !== undefined) isWell = false;
      text += failure === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${failure}\n`;
    }
    const logger = this.#logger;
    if (!isWell) {
      logger.error("Health check error", { path, reason: text, "status-code": 503 });
      return errorPage(503, text);
    }
    logger.debug("Health check OK", { path, reason: text, "status-code": 200 });
    const page = errorPage(200, "ok");
    return query.has("verbose") ? { ...page, body: text + page.body } : page;
  }

  /** Checks of other versions do no harm. */
  #logMissing(names: ReadonlySet<string>): void {
    const missing = [...names].map(quoteText).join(",");
    const fields = { "missing-health-checks": missing };
    this.#logger.warn("some health checks cannot be excluded", fields);
  }

  #count(probe: string, name: string, isWell: boolean): void {
    const key = `${probe}/${name}`;
    let tally = this.#tallies.get(key);
    if (tally === undefined) {
      tally = { probe, name, isWell, success: 0, error: 0 };
      this.#tallies.set(key, tally);
    }
    tally.isWell = isWell;
    if (isWell) tally.success++;
    else tally.error++;
  }
}

import { errorPage, type Page, type RequestHead } from "../http/index.ts";
import type { Member } from "../member/index.ts";
import type { Logger } from "../observe/index.ts";
import { api } from "../proto/index.ts";

const { NOSPACE, CORRUPT } = api.ALARM_TYPE;

/** `/health`, the oldest of the probes, and what the log says of it (etcd `etcdhttp/health.go`). */
export class Health {
  readonly #member: Member;
  readonly #logger: Logger;
  /** Answers so far, for `/metrics`. */
  successes = 0;
  failures = 0;

  constructor(member: Member, logger: Logger) {
    this.#member = member;
    this.#logger = logger;
  }

  async page({ query }: RequestHead): Promise<Page> {
    const logger = this.#logger;
    const reason = await this.#sickness(query);
    if (reason !== undefined) {
      this.failures++;
      const output = healthJson("false", reason);
      logger.warn("/health error", { output, "status-code": 503 });
      return errorPage(503, output);
    }
    this.successes++;
    logger.debug("/health OK", { "status-code": 200 });
    const fields = { "Content-Type": "text/plain; charset=utf-8" };
    return { status: 200, fields, body: healthJson("true", "") };
  }

  /** In etcd's order: alarms, the leader, and whether a read goes through. */
  async #sickness(query: URLSearchParams): Promise<string | undefined> {
    const logger = this.#logger;
    const alarm = this.#alarm(new Set(query.getAll("exclude")));
    if (alarm !== undefined) return `ALARM ${alarm}`;
    const isSerializable = query.get("serializable") === "true";
    if (!this.#member.hasLeader && !isSerializable) {
      logger.warn("serving /health false; no leader");
      return "RAFT NO LEADER";
    }
    const failure = isSerializable ? undefined : await this.#member.caughtUp();
    if (failure !== undefined) {
      logger.warn("serving /health false; Range fails", { error: failure.message });
      return `RANGE ERROR:${failure.message}`;
    }
    logger.debug("serving /health true");
    return undefined;
  }

  #alarm(excluded: ReadonlySet<string>): string | undefined {
    const logger = this.#logger;
    for (const { memberID, alarm } of this.#member.state.alarms.list()) {
      const name = alarm === NOSPACE ? "NOSPACE" : alarm === CORRUPT ? "CORRUPT" : undefined;
      const fields = { alarm: `memberID:${memberID}  alarm:${name ?? alarm}` };
      if (name === undefined || !excluded.has(name)) {
        logger.warn("serving /health false due to an alarm", fields);
        return name ?? "UNKNOWN";
      }
      logger.debug("/health excluded alarm", fields);
    }
    return undefined;
  }
}

/** As Go writes it, which escapes what HTML would take amiss. */
function healthJson(health: string, reason: string): string {
  const json = JSON.stringify({ health, reason });
  return json.replace(/[<>&]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}

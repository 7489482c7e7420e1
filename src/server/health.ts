import { errorPage, type Page, type RequestHead } from "../http/index.ts";
import type { Member } from "../member/index.ts";
import { api } from "../proto/index.ts";

const { NOSPACE, CORRUPT } = api.ALARM_TYPE;

/** `/health`, the oldest of the probes (etcd `etcdhttp/health.go`). */
export class Health {
  readonly #member: Member;
  /** Answers so far, for `/metrics`. */
  successes = 0;
  failures = 0;

  constructor(member: Member) {
    this.#member = member;
  }

  async page({ query }: RequestHead): Promise<Page> {
    const reason = await this.#sickness(query);
    if (reason === undefined) this.successes++;
    else this.failures++;
    if (reason !== undefined) return errorPage(503, healthJson("false", reason));
    const fields = { "Content-Type": "text/plain; charset=utf-8" };
    return { status: 200, fields, body: healthJson("true", "") };
  }

  /** In etcd's order: alarms, the leader, and whether a read goes through. */
  async #sickness(query: URLSearchParams): Promise<string | undefined> {
    const alarm = this.#alarm(new Set(query.getAll("exclude")));
    if (alarm !== undefined) return `ALARM ${alarm}`;
    const isSerializable = query.get("serializable") === "true";
    if (!this.#member.hasLeader && !isSerializable) return "RAFT NO LEADER";
    const failure = isSerializable ? undefined : await this.#member.caughtUp();
    return failure === undefined ? undefined : `RANGE ERROR:${failure.message}`;
  }

  #alarm(excluded: ReadonlySet<string>): string | undefined {
    for (const { alarm } of this.#member.state.alarms.list()) {
      const name = alarm === NOSPACE ? "NOSPACE" : alarm === CORRUPT ? "CORRUPT" : undefined;
      if (name === undefined || !excluded.has(name)) return name ?? "UNKNOWN";
    }
    return undefined;
  }
}

/** As Go writes it, which escapes what HTML would take amiss. */
function healthJson(health: string, reason: string): string {
  const json = JSON.stringify({ health, reason });
  return json.replace(/[<>&]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}

/** One line of the client's log, laid out as etcd's Go client writes it, for tools that read it. */
export interface LogEntry {
  readonly level: "info" | "warn" | "error" | "fatal";
  readonly logger?: string;
  /** Where in the Go client the like of it is written. */
  readonly caller: string;
  readonly msg: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export function logLine({ level, logger, caller, msg, fields }: LogEntry): string {
  const line = { level, ts: timestamp(), logger, caller, msg, ...fields };
  return `${JSON.stringify(line)}\n`;
}

/** Now, local time, in microseconds: `2026-11-25T14:40:58.391658Z`. */
function timestamp(): string {
  const now = performance.timeOrigin + performance.now();
  const date = new Date(now);
  const offset = -date.getTimezoneOffset();
  const local = new Date(now + offset * 60_000).toISOString().slice(0, -1);
  const micros = String(Math.floor((now % 1) * 1_000)).padStart(3, "0");
  if (offset === 0) return `${local}${micros}Z`;
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const size = Math.abs(offset);
  return `${local}${micros}${offset < 0 ? "-" : "+"}${two(size / 60)}${two(size % 60)}`;
}

/** One event of the log. */
export interface LogEntry {
  readonly level: string;
  /** Of the part of the program that says it. */
  readonly name: string | undefined;
  readonly message: string;
  readonly fields: object;
  /** `folder/file:line` of the code that says it. */
  readonly caller: string;
  readonly stack: string | undefined;
}

/** zap's JSON: the order of the members is part of it. */
export function jsonLine({ level, name, message, fields, caller, stack }: LogEntry): string {
  const start = { level, ts: timestamp(wallMs()), logger: name, caller, msg: message };
  return `${JSON.stringify({ ...start, ...fields, stacktrace: stack }, plain)}\n`;
}

/** zap's text for people: tabs between the parts, the fields as JSON with spaces, then the stack. */
export function consoleLine({ level, name, message, fields, caller, stack }: LogEntry): string {
  const said = name === undefined ? [caller, message] : [name, caller, message];
  const parts = [timestamp(wallMs()), level, ...said];
  if (Object.keys(fields).length > 0) parts.push(spaced(fields));
  return `${parts.join("\t")}\n${stack === undefined ? "" : `${stack}\n`}`;
}

/** JSON on one line with a space after each colon and comma that separate. */
function spaced(fields: object): string {
  return JSON.stringify(fields, plain, 1)
    .replaceAll(/([[{])\n\s*/g, "$1")
    .replaceAll(/\n\s*([\]}])/g, "$1")
    .replaceAll(/\n\s*/g, " ");
}

/** Ids are written in hexadecimal; of errors only their message is. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString(16);
  return value instanceof Error ? value.message : value;
}

const DRIFT_MS_MAX = 2;
let origin = performance.timeOrigin;

/** Milliseconds since 1970 with microseconds behind the point; follows the clock when that is set. */
function wallMs(): number {
  const now = origin + performance.now();
  const drift = Date.now() - now;
  if (Math.abs(drift) <= DRIFT_MS_MAX) return now;
  origin += drift;
  return now + drift;
}

/** Local time to the microsecond, `Z` where that is UTC: `2026-11-25T14:40:58.391658+0100`. */
export function timestamp(ms: number): string {
  const offset = -new Date(ms).getTimezoneOffset();
  const local = new Date(ms + offset * 60_000).toISOString().slice(0, -1);
  const micros = two(Math.floor((ms % 1) * 1_000), 3);
  if (offset === 0) return `${local}${micros}Z`;
  const size = Math.abs(offset);
  return `${local}${micros}${offset < 0 ? "-" : "+"}${two(size / 60)}${two(size % 60)}`;
}

function two(value: number, digits = 2): string {
  return String(Math.floor(value)).padStart(digits, "0");
}

type Called = (...args: never[]) => unknown;

const FRAMES_MAX = 16;

let place: string | undefined;

/**
 * Says where the next line is written. The build puts it around the log in each call, because the
 * stacks of a bundle know of one file only.
 */
export function at<Log>(log: Log, where: string): Log {
  place = where;
  return log;
}

/** What was said of the line that is being written, if anything. */
export function takePlace(): string | undefined {
  const said = place;
  place = undefined;
  return said;
}

/** `folder/file:line` of the code that called `called`. */
export function callerOf(called: Called): string {
  const [frame = ""] = framesAbove(called, 1);
  return placeOf(frame).replace(/^.*[/\\]([^/\\]+[/\\][^/\\]+)$/, "$1");
}

/** The stack of the error among the fields, or else that of the code that called `called`. */
export function stackOf(fields: object, called: Called): string {
  const error = Object.values(fields).find((value) => value instanceof Error);
  const frames = error?.stack?.split("\n    at ").slice(1) ?? framesAbove(called, FRAMES_MAX);
  return frames.map((frame) => `${nameOf(frame)}\n\t${placeOf(frame)}`).join("\n");
}

function framesAbove(called: Called, count: number): string[] {
  const before = Error.stackTraceLimit;
  const holder: { stack?: string } = {};
  Error.stackTraceLimit = count;
  Error.captureStackTrace(holder, called);
  const frames = holder.stack!.split("\n    at ").slice(1);
  Error.stackTraceLimit = before;
  return frames;
}

/** `name (file:line:column)`, or the latter part alone. */
function placeOf(frame: string): string {
  const place = /\(([^()]*)\)$/.exec(frame)?.[1] ?? frame.replace(/^async /, "");
  return place.replace(/^file:\/\//, "").replace(/:\d+$/, "");
}

function nameOf(frame: string): string {
  return /^(?:async )?(.*) \([^()]*\)$/.exec(frame)?.[1] ?? "<anonymous>";
}

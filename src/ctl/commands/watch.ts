import { quoteBytes, quoteText } from "../../base/index.ts";
import {
  boolFlag,
  EXIT,
  Exit,
  FlagSet,
  type FlagValues,
  intFlag,
  UsageError,
} from "../../cli/index.ts";
import type { WatchAnswer, Watcher } from "../../client/index.ts";
import { api, encodeMessage, type Init } from "../../proto/index.ts";
import { runChild } from "../child.ts";
import type { Ctl } from "../ctl.ts";
import { badArgs, define } from "../define.ts";
import { splitArguments } from "../go-scan.ts";
import { prefixRange } from "../key-range.ts";
import { messageJson } from "../printers/json.ts";
import { keyValueLines } from "../printers/simple.ts";
import { argBytes } from "../raw-args.ts";
import { splitWatchArgs, WatchArgsError } from "../watch-args.ts";

const watchFlags = {
  interactive: boolFlag("Interactive mode", false, "i"),
  prefix: boolFlag("Watch on a prefix if prefix is set"),
  rev: intFlag("Revision to start watching"),
  "prev-kv": boolFlag("get the previous key-value pair before the event happens"),
  "progress-notify": boolFlag("get periodic watch progress notification from server"),
} as const;

type WatchFlags = FlagValues<typeof watchFlags>;

export const watch = define({
  use: "watch [options] [key or prefix] [range_end] [--] [exec-command arg1 arg2 ...]",
  flags: watchFlags,
  run: async ({ args, argv, context: ctl }, flags) => {
    const fixed = fixedRange(ctl);
    if (flags.interactive) return watchInteractively(ctl, fixed);
    const behind = argv.slice(argv.findIndex((arg) => arg === "watch") + 1);
    const split = orBadArgs(() => splitWatchArgs(behind, args, fixed));
    const watcher = await startWatcher(ctl);
    const request = orBadArgs(() => watchRequest(split.range, flags));
    await printAnswers(ctl, watcher, request, split.command);
    throw new Exit(EXIT.interrupted, "watch is canceled by the server");
  },
});

/** The range that the environment fixes, empty when it does not. */
function fixedRange(ctl: Ctl): readonly string[] {
  const key = ctl.variable("ETCDCTL_WATCH_KEY");
  const end = ctl.variable("ETCDCTL_WATCH_RANGE_END");
  if (key === "" && end !== "") {
    badArgs(`ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END=${quoteText(end)}`);
  }
  return [key, end].filter((text) => text !== "");
}

async function startWatcher(ctl: Ctl): Promise<Watcher> {
  const client = await ctl.connect();
  const { Watcher } = await import("../../client/index.ts");
  return new Watcher(client);
}

function orBadArgs<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof WatchArgsError) return badArgs(error.message);
    throw error;
  }
}

/** Throws `WatchArgsError`. */
function watchRequest(range: readonly string[], flags: WatchFlags): Init<api.WatchCreateRequest> {
  if (range.length === 0) throw new WatchArgsError("bad number of arguments");
  if (range.length === 2 && flags.prefix) {
    throw new WatchArgsError("`range_end` and `--prefix` are mutually exclusive");
  }
  const key = argBytes(range[0]!);
  const end = range.length === 2 ? { rangeEnd: argBytes(range[1]!) } : {};
  return {
    key,
    ...end,
    ...(flags.prefix ? prefixRange(key) : {}),
    startRevision: flags.rev,
    prevKv: flags["prev-kv"],
    progressNotify: flags["progress-notify"],
  };
}

/** Each line starts another watch, or asks how far they all are. */
async function watchInteractively(ctl: Ctl, fixed: readonly string[]): Promise<void> {
  const watcher = await startWatcher(ctl);
  const { lines } = ctl;
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
    const words = splitArguments(line);
    if (words === undefined) throw new Exit(EXIT.invalidInput, "invalid syntax");
    if (words.length === 0) {
      ctl.err(`Invalid command: ${line} (watch and progress supported)\n`);
    } else if (words[0] === "progress") watcher.requestProgress();
    else if (words[0] !== "watch") ctl.err(`Invalid command ${line} (only support watch)\n`);
    else if (words.length < 2 && fixed.length === 0) {
      ctl.err(`Invalid command ${line} (command type or key is not provided)\n`);
    } else startFromLine(ctl, watcher, line, words.slice(1), fixed);
  }
  throw new Exit(EXIT.invalidInput, "error reading watch request line: EOF");
}

function startFromLine(
  ctl: Ctl,
  watcher: Watcher,
  line: string,
  words: readonly string[],
  fixed: readonly string[],
): void {
  const flags = new FlagSet(watchFlags);
  const split = orBadArgs(() => {
    parseOrRefuse(flags, words);
    return splitWatchArgs(words, flags.args, fixed);
  });
  try {
    const request = watchRequest(split.range, flags.values as WatchFlags);
    void printAnswers(ctl, watcher, request, split.command);
  } catch (error) {
    if (!(error instanceof WatchArgsError)) throw error;
    ctl.err(`Invalid command ${line} (${error.message})\n`);
  }
}

function parseOrRefuse(flags: FlagSet, words: readonly string[]): void {
  try {
    flags.parse(words);
  } catch (error) {
    throw error instanceof UsageError ? new WatchArgsError(error.message) : error;
  }
}

async function printAnswers(
  ctl: Ctl,
  watcher: Watcher,
  request: Init<api.WatchCreateRequest>,
  command: readonly string[],
): Promise<void> {
  for await (const answer of watcher.watch(request)) {
    if (answer.error !== undefined) ctl.err(`watch was canceled (${answer.error})\n`);
    if (isProgress(answer)) ctl.out(`progress notify: ${answer.header?.revision}\n`);
    showAnswer(ctl, answer);
    if (command.length > 0) {
      for (const event of answer.events) await runForEvent(ctl, command, answer, event);
    }
  }
}

function isProgress(answer: WatchAnswer): boolean {
  const { events, canceled, created, compactRevision, header } = answer;
  return (
    events.length === 0 && !canceled && !created && compactRevision === 0 && !!header?.revision
  );
}

const EVENT_NAMES = ["PUT", "DELETE"] as const;
const typeOf = (event: api.Event) => EVENT_NAMES[event.type] ?? String(event.type);

function showAnswer(ctl: Ctl, answer: WatchAnswer): void {
  const style = { hex: ctl.flags.hex };
  ctl.show({
    simple: (page) => {
      for (const event of answer.events) {
        page.line(typeOf(event));
        if (event.prevKv !== undefined) keyValueLines(page, event.prevKv, style);
        if (event.kv !== undefined) keyValueLines(page, event.kv, style);
      }
    },
    fields: (lines) => {
      lines.header(answer.header);
      for (const event of answer.events) {
        lines.add("Type", typeOf(event));
        if (event.prevKv !== undefined) lines.keyValue("Prev", event.prevKv);
        if (event.kv !== undefined) lines.keyValue("", event.kv);
      }
    },
    json: () => watchJson(answer),
    protobuf: () => {
      const { header, events, compactRevision, canceled, created } = answer;
      const shown = { events, compactRevision, canceled, created };
      return encodeMessage(api.WatchResponse, header === undefined ? shown : { header, ...shown });
    },
  });
}

/** The client's own structure, whose members have no JSON names. */
function watchJson(answer: WatchAnswer): unknown {
  return {
    Header: answer.header === undefined ? null : messageJson(api.ResponseHeader, answer.header),
    Events: answer.events.length === 0 ? null : answer.events.map((e) => messageJson(api.Event, e)),
    CompactRevision: answer.compactRevision,
    Canceled: answer.canceled,
    Created: answer.created,
    CancelReason: answer.cancelReason,
  };
}

/** Runs the user's command with the event in its environment; when it fails, so do we. */
async function runForEvent(
  ctl: Ctl,
  command: readonly string[],
  answer: WatchAnswer,
  event: api.Event,
): Promise<void> {
  const empty = new Uint8Array(0);
  const env = {
    ...process.env,
    ETCD_WATCH_REVISION: String(answer.header?.revision ?? 0),
    ETCD_WATCH_EVENT_TYPE: quoteText(typeOf(event)),
    ETCD_WATCH_KEY: quoteBytes(event.kv?.key ?? empty),
    ETCD_WATCH_VALUE: quoteBytes(event.kv?.value ?? empty),
  };
  const failure = await runChild(command, env);
  if (failure === undefined) return;
  ctl.err(`command [${command.map(quoteText).join(" ")}] error (${failure.why})\n`);
  throw new Exit(EXIT.error);
}

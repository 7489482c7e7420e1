import {
  boolFlag,
  EXIT,
  Exit,
  type FlagValues,
  intFlag,
  offering,
  stringFlag,
} from "../../cli/index.ts";
import type { Client, Deadline } from "../../client/index.ts";
import { api, type Init } from "../../proto/index.ts";
import { badArgs, callOrExit, commandDeadline, define } from "../define.ts";
import { keyRange } from "../key-range.ts";
import { showRange } from "../printers/range.ts";

export const getFlags = {
  consistency: offering(["l", "s"], stringFlag("Linearizable(l) or Serializable(s)", "l")),
  order: offering(
    ["ASCEND", "DESCEND"],
    stringFlag("Order of results; ASCEND or DESCEND (ASCEND by default)"),
  ),
  "sort-by": offering(
    ["CREATE", "KEY", "MODIFY", "VALUE", "VERSION"],
    stringFlag("Sort target; CREATE, KEY, MODIFY, VALUE, or VERSION"),
  ),
  limit: intFlag("Maximum number of results"),
  prefix: boolFlag("Get keys with matching prefix"),
  "from-key": boolFlag(
    "Get keys that are greater than or equal to the given key using byte compare",
  ),
  rev: intFlag("Specify the kv revision"),
  "keys-only": boolFlag("Get only the keys"),
  "count-only": boolFlag("Get only the count"),
  "print-value-only": boolFlag('Only write values when using the "simple" output format'),
  "min-create-rev": intFlag("Minimum create revision"),
  "max-create-rev": intFlag("Maximum create revision"),
  "min-mod-rev": intFlag("Minimum modification revision"),
  "max-mod-rev": intFlag("Maximum modification revision"),
  stream: boolFlag("Use the RangeStream RPC"),
} as const;

export type GetFlags = FlagValues<typeof getFlags>;

export const get = define({
  use: "get [options] <key> [range_end]",
  flags: getFlags,
  run: async ({ args, context: ctl }, flags) => {
    const request = rangeRequest(args, flags);
    const deadline = await commandDeadline(ctl);
    const client = await ctl.connect();
    const answer = flags.stream
      ? await readStream(client, request, deadline)
      : await range(client, request, deadline);
    if (flags["count-only"] && ctl.format !== "fields") {
      badArgs("--count-only is only for `--write-out=fields`");
    }
    if (flags["print-value-only"] && ctl.format !== "simple") {
      badArgs("print-value-only is only for `--write-out=simple`");
    }
    showRange(ctl, answer, { valueOnly: flags["print-value-only"] });
  },
});

async function range(
  client: Client,
  request: Init<api.RangeRequest>,
  deadline: Deadline,
): Promise<api.RangeResponse> {
  const { kv } = await import("../../client/index.ts");
  return callOrExit(client, kv.range, request, { deadline });
}

/** The pieces of a streamed answer put together again. */
async function readStream(
  client: Client,
  request: Init<api.RangeRequest>,
  deadline: Deadline,
): Promise<api.RangeResponse> {
  const { describeError, kv } = await import("../../client/index.ts");
  const whole: api.RangeResponse = { header: undefined, kvs: [], more: false, count: 0 };
  try {
    const stream = await client.stream(kv.rangeStream, { deadline });
    stream.send(request);
    stream.end();
    for (let piece = await stream.next(); piece !== undefined; piece = await stream.next()) {
      const { kvs = [], ...rest } = piece.rangeResponse ?? {};
      Object.assign(whole, rest);
      for (const pair of kvs) whole.kvs.push(pair);
    }
    return whole;
  } catch (error) {
    throw new Exit(EXIT.error, describeError(error, deadline));
  }
}

/** Throws `Exit` when arguments and flags do not go together. */
export function rangeRequest(args: readonly string[], flags: GetFlags): Init<api.RangeRequest> {
  if (args.length === 0) {
    badArgs("get command needs one argument as key and an optional argument as range_end");
  }
  const range = keyRange(args, flags);
  if (flags["keys-only"] && flags["count-only"]) {
    badArgs("`--keys-only` and `--count-only` cannot be set at the same time, choose one");
  }
  const serializable = isSerializable(flags.consistency);
  const sortOrder = sortOrderOf(flags.order);
  const sortTarget = sortTargetOf(flags["sort-by"]);
  // Ascending keys are what a server answers anyway; asking for it would make it sort.
  const asIs = sortTarget === api.SORT_TARGET.KEY && sortOrder === api.SORT_ORDER.ASCEND;
  return {
    ...range,
    serializable,
    limit: flags.limit,
    revision: Math.max(0, flags.rev),
    sortOrder: asIs ? api.SORT_ORDER.NONE : sortOrder,
    sortTarget,
    keysOnly: flags["keys-only"],
    countOnly: flags["count-only"],
    ...revisionFilters(flags),
  };
}

function revisionFilters(flags: GetFlags): Init<api.RangeRequest> {
  const minCreateRevision = Math.max(0, flags["min-create-rev"]);
  const maxCreateRevision = Math.max(0, flags["max-create-rev"]);
  const minModRevision = Math.max(0, flags["min-mod-rev"]);
  const maxModRevision = Math.max(0, flags["max-mod-rev"]);
  checkOrder("Create", flags["min-create-rev"], maxCreateRevision);
  checkOrder("Mod", flags["min-mod-rev"], maxModRevision);
  return { minCreateRevision, maxCreateRevision, minModRevision, maxModRevision };
}

function checkOrder(what: string, least: number, most: number): void {
  if (most === 0 || least <= most) return;
  throw new Exit(EXIT.badFeature, `getMin${what}Rev(=${least}) > getMax${what}Rev(=${most})`);
}

export function isSerializable(consistency: string): boolean {
  if (consistency === "s" || consistency === "l") return consistency === "s";
  throw new Exit(EXIT.badFeature, `unknown consistency flag "${consistency}"`);
}

function sortOrderOf(text: string): number {
  if (text === "") return api.SORT_ORDER.NONE;
  const order = ({ ASCEND: 1, DESCEND: 2 } as Record<string, number>)[text.toUpperCase()];
  if (order === undefined) throw new Exit(EXIT.badFeature, `bad sort order ${text}`);
  return order;
}

const SORT_TARGETS: Readonly<Record<string, number>> = {
  CREATE: api.SORT_TARGET.CREATE,
  KEY: api.SORT_TARGET.KEY,
  MODIFY: api.SORT_TARGET.MOD,
  VALUE: api.SORT_TARGET.VALUE,
  VERSION: api.SORT_TARGET.VERSION,
};

function sortTargetOf(text: string): number {
  if (text === "") return api.SORT_TARGET.KEY;
  const target = SORT_TARGETS[text.toUpperCase()];
  if (target === undefined) throw new Exit(EXIT.badFeature, `bad sort target ${text}`);
  return target;
}

import { boolFlag, type FlagValues, GoTextError, parseInt64, stringFlag } from "../../cli/index.ts";
import { api, type Init } from "../../proto/index.ts";
import { badArgs, callOrExit, commandDeadline, define } from "../define.ts";
import { type Io, readAll } from "../../cli/index.ts";
import type { AnswerLines } from "../printers/fields.ts";
import type { Page } from "../../cli/index.ts";
import { keyValueLines, type KeyValueStyle } from "../printers/simple.ts";
import { messageView } from "../printers/view.ts";
import { argBytes } from "../raw-args.ts";

export const putFlags = {
  lease: stringFlag("lease ID (in hexadecimal) to attach to the key", "0"),
  "prev-kv": boolFlag("return the previous key-value pair before modification"),
  "ignore-value": boolFlag("updates the key using its current value"),
  "ignore-lease": boolFlag("updates the key using its current lease"),
} as const;

export const put = define({
  use: "put [options] <key> <value> (<value> can also be given from stdin)",
  long: `
Puts the given key into the store.

When <value> begins with '-', <value> is interpreted as a flag.
Insert '--' for workaround:

$ put <key> -- <value>
$ put -- <key> <value>

If <value> isn't given as a command line argument and '--ignore-value' is not specified,
this command tries to read the value from standard input.

If <lease> isn't given as a command line argument and '--ignore-lease' is not specified,
this command tries to read the value from standard input.

For example,
$ cat file | put <key>
will store the content of the file to <key>.
`,
  flags: putFlags,
  run: async ({ args, context: ctl }, flags) => {
    const request = await putRequest(args, flags, ctl.io);
    const deadline = await commandDeadline(ctl);
    const { kv } = await import("../../client/index.ts");
    const answer = await callOrExit(await ctl.connect(), kv.put, request, { deadline });
    ctl.show(
      messageView(api.PutResponse, answer, {
        simple: (page) => putLines(page, answer, { hex: ctl.flags.hex }),
        fields: (lines) => putFields(lines, answer),
      }),
    );
  },
});

export function putLines(page: Page, answer: api.PutResponse, style: KeyValueStyle): void {
  page.line("OK");
  if (answer.prevKv !== undefined) keyValueLines(page, answer.prevKv, style);
}

export function putFields(lines: AnswerLines, answer: api.PutResponse): void {
  lines.header(answer.header);
  if (answer.prevKv !== undefined) lines.keyValue("Prev", answer.prevKv);
}

const USAGE = "put command needs 1 argument and input from stdin or 2 arguments";

/** Reads the value from standard input when it is not an argument. Throws `Exit`. */
export async function putRequest(
  args: readonly string[],
  flags: FlagValues<typeof putFlags>,
  io: Io,
): Promise<Init<api.PutRequest>> {
  if (args.length === 0) badArgs(USAGE);
  const ignoreValue = flags["ignore-value"];
  if (ignoreValue && args.length > 1) {
    badArgs("put command needs only 1 argument when 'ignore-value' is set");
  }
  const value = ignoreValue ? new Uint8Array(0) : await valueOf(args, io);
  return {
    key: argBytes(args[0]!),
    value,
    lease: leaseOf(flags.lease),
    prevKv: flags["prev-kv"],
    ignoreValue,
    ignoreLease: flags["ignore-lease"],
  };
}

async function valueOf(args: readonly string[], io: Io): Promise<Uint8Array> {
  if (args.length > 1) return argBytes(args[1]!);
  const value = await readAll(io);
  return value.length === 0 ? badArgs(USAGE) : value;
}

function leaseOf(text: string): bigint {
  try {
    return parseInt64(text, 16);
  } catch (error) {
    if (!(error instanceof GoTextError)) throw error;
    return badArgs(`bad lease ID (${error.message}), expecting ID in Hex`);
  }
}

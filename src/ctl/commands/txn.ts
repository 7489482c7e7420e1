import { Readable } from "node:stream";
import {
  boolFlag,
  type Command,
  EXIT,
  Exit,
  FlagSet,
  flagsOf,
  findCommand,
  lazy,
  type LineReader,
  nameOf,
  RawJson,
  UsageError,
  usageText,
} from "../../cli/index.ts";
import { api, type Init } from "../../proto/index.ts";
import { parseComparison, TxnSyntaxError } from "../comparison.ts";
import type { Ctl } from "../ctl.ts";
import { badArgs, callOrExit, define } from "../define.ts";
import { splitArguments } from "../go-scan.ts";
import type { AnswerLines } from "../printers/fields.ts";
import { messageJson } from "../printers/json.ts";
import { rangeFields } from "../printers/range.ts";
import type { Page } from "../../cli/index.ts";
import { keyValueLines } from "../printers/simple.ts";
import { messageView } from "../printers/view.ts";
import { deleteFields, deleteLines, deleteRequest, del } from "./del.ts";
import { get, type GetFlags, rangeRequest } from "./get.ts";
import { put, putFields, putLines, putRequest } from "./put.ts";

export const txn = define({
  use: "txn [options]",
  long: `Txn reads multiple etcd requests from standard input and applies them as a single atomic transaction.

A transaction consists of three components:
1) a list of conditions,
2) a list of requests to apply if all the conditions are true,
3) a list of requests to apply if any condition is false.

Example interactive stdin usage:

---
quordctl txn -i
# compares:
mod("key1") > "0"

# success requests (get, put, delete):
put key1 "overwrote-key1"

# failure requests (get, put, delete):
put key1 "created-key1"
put key2 "some extra key"
---

Refer to https://github.com/etcd-io/etcd/blob/main/etcdctl/README.md#txn-options.`,
  flags: { interactive: boolFlag("Input transaction in interactive mode", false, "i") },
  run: async ({ args, context: ctl }, flags) => {
    if (args.length !== 0) badArgs("txn command does not accept argument");
    const client = await ctl.connect();
    const request = await readTransaction(ctl, flags.interactive);
    const { kv } = await import("../../client/index.ts");
    showTxn(ctl, await callOrExit(client, kv.txn, request));
  },
});

async function readTransaction(ctl: Ctl, interactive: boolean): Promise<Init<api.TxnRequest>> {
  const { lines } = ctl;
  const prompt = (text: string) => {
    if (interactive) ctl.out(`${text}\n`);
  };
  prompt("compares:");
  const compare = await readBlock(lines, async (line) => parseComparison(line));
  prompt("success requests (get, put, del):");
  const success = await readBlock(lines, (line) => parseRequest(ctl, line));
  prompt("failure requests (get, put, del):");
  const failure = await readBlock(lines, (line) => parseRequest(ctl, line));
  return { compare, success, failure };
}

/** Lines up to an empty one. Throws `Exit`. */
async function readBlock<T>(lines: LineReader, parse: (line: string) => Promise<T>): Promise<T[]> {
  const parsed: T[] = [];
  for (;;) {
    const line = (await lines.next())?.trim();
    if (line === undefined) throw new Exit(EXIT.invalidInput, "EOF");
    if (line === "") return parsed;
    try {
      parsed.push(await parse(line));
    } catch (error) {
      if (!(error instanceof TxnSyntaxError)) throw error;
      throw new Exit(EXIT.invalidInput, error.message);
    }
  }
}

/** The commands that may stand in a transaction, with their names as on the command line. */
const REQUESTS: Command<Ctl> = {
  use: "",
  short: "",
  flags: {},
  commands: [
    lazy("put", "", async () => put),
    lazy("get", "", async () => get),
    lazy("del", "", async () => del),
  ],
};

async function parseRequest(ctl: Ctl, line: string): Promise<Init<api.RequestOp>> {
  const words = splitArguments(line);
  if (words === undefined) throw new TxnSyntaxError("invalid syntax");
  if (words.length < 2) throw new TxnSyntaxError(`invalid txn compare request: ${line}`);
  const found = await findCommand(REQUESTS, words);
  const command = found?.path[1];
  if (found === undefined || command === undefined) {
    throw new TxnSyntaxError(`invalid txn request: ${line}`);
  }
  const flags = new FlagSet(flagsOf(found.path));
  try {
    flags.parse(found.rest);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    ctl.err(`${usageText(found.path, { groups: [], rootFlagsShown: false, aboutShown: true })}\n`);
    throw new TxnSyntaxError(`invalid txn request: ${line}`);
  }
  if (flags.values.help === true) throw new TxnSyntaxError(`invalid txn request: ${line}`);
  return requestOf(ctl, command, flags);
}

async function requestOf(
  ctl: Ctl,
  command: Command<Ctl>,
  { args, values }: FlagSet,
): Promise<Init<api.RequestOp>> {
  if (nameOf(command) === "get") return { requestRange: rangeRequest(args, values as GetFlags) };
  if (nameOf(command) === "del") {
    return { requestDeleteRange: await deleteRequest(args, values as never, ctl) };
  }
  // Standard input is the transaction, so a value cannot come from it.
  const io = { ...ctl.io, stdin: Readable.from([]) };
  return { requestPut: await putRequest(args, values as never, io) };
}

// --- Showing the answer ---

function showTxn(ctl: Ctl, answer: api.TxnResponse): void {
  ctl.show({
    ...messageView(api.TxnResponse, answer, {
      simple: (page) => txnLines(page, answer, ctl.flags.hex),
      fields: (lines) => txnFields(lines, answer),
    }),
    json: () => txnJson(answer),
  });
}

function txnLines(page: Page, answer: api.TxnResponse, hex: boolean): void {
  page.line(answer.succeeded ? "SUCCESS" : "FAILURE");
  for (const response of answer.responses) {
    page.line();
    if (response.responseDeleteRange !== undefined) {
      deleteLines(page, response.responseDeleteRange, { hex });
    } else if (response.responsePut !== undefined) putLines(page, response.responsePut, { hex });
    else for (const kv of response.responseRange?.kvs ?? []) keyValueLines(page, kv, { hex });
  }
}

function txnFields(lines: AnswerLines, answer: api.TxnResponse): void {
  lines.header(answer.header);
  lines.add("Succeeded", answer.succeeded);
  for (const response of answer.responses) {
    if (response.responseDeleteRange !== undefined) {
      deleteFields(lines, response.responseDeleteRange);
    } else if (response.responsePut !== undefined) putFields(lines, response.responsePut);
    else if (response.responseRange !== undefined) rangeFields(lines, response.responseRange);
  }
}

/** As the client's structures have it, each answer sits in a `Response`. */
function txnJson(answer: api.TxnResponse): unknown {
  const { header, succeeded, responses } = answer;
  return {
    header: header === undefined ? undefined : messageJson(api.ResponseHeader, header),
    succeeded: succeeded || undefined,
    responses:
      responses.length === 0
        ? undefined
        : responses.map((response) => ({ Response: responseJson(response) })),
  };
}

function responseJson(response: api.ResponseOp): unknown {
  const { responseRange, responsePut, responseDeleteRange, responseTxn } = response;
  if (responseTxn !== undefined) return { response_txn: txnJson(responseTxn) };
  if (responseRange !== undefined) {
    return { response_range: messageJson(api.RangeResponse, responseRange) };
  }
  if (responsePut !== undefined) {
    return { response_put: messageJson(api.PutResponse, responsePut) };
  }
  if (responseDeleteRange === undefined) return new RawJson("{}");
  return { response_delete_range: messageJson(api.DeleteRangeResponse, responseDeleteRange) };
}

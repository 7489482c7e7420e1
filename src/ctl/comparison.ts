import { quoteText } from "../base/index.ts";
import { GoTextError, parseInt64 } from "../cli/index.ts";
import { api, type Init } from "../proto/index.ts";
import { readQuoted } from "./go-scan.ts";
import { argBytes } from "./raw-args.ts";

/** A line of a transaction that is none; the message is for the user. */
export class TxnSyntaxError extends Error {}

const RESULTS: Readonly<Record<string, number>> = {
  "=": api.COMPARE_RESULT.EQUAL,
  "!=": api.COMPARE_RESULT.NOT_EQUAL,
  ">": api.COMPARE_RESULT.GREATER,
  "<": api.COMPARE_RESULT.LESS,
};

const TARGETS: Readonly<Record<string, number>> = {
  ver: api.COMPARE_TARGET.VERSION,
  version: api.COMPARE_TARGET.VERSION,
  c: api.COMPARE_TARGET.CREATE,
  create: api.COMPARE_TARGET.CREATE,
  m: api.COMPARE_TARGET.MOD,
  mod: api.COMPARE_TARGET.MOD,
  val: api.COMPARE_TARGET.VALUE,
  value: api.COMPARE_TARGET.VALUE,
  lease: api.COMPARE_TARGET.LEASE,
};

/** Reads `mod("key") > "0"`. Throws `TxnSyntaxError`. */
export function parseComparison(line: string): Init<api.Compare> {
  const open = line.indexOf("(");
  if (open < 0) throw new TxnSyntaxError(`malformed comparison: ${line}`);
  const name = line.slice(0, open);
  const { key, operator, value } = scanComparison(line.slice(open + 1));
  if (value === undefined) {
    const got = `${name}(${quoteText(key)}) ${operator} ""`;
    throw new TxnSyntaxError(`malformed comparison: ${line}; got ${got}`);
  }
  const target = TARGETS[name];
  if (target === undefined) {
    throw new TxnSyntaxError(`malformed comparison: ${line} (unknown target ${name})`);
  }
  const result = RESULTS[operator];
  if (result === undefined) {
    throw new TxnSyntaxError(`malformed comparison: ${line} (unknown result op ${operator})`);
  }
  return { key: argBytes(key), target, result, ...operand(target, value, line) };
}

interface Scanned {
  readonly key: string;
  readonly operator: string;
  /** Undefined when the line ends or goes wrong before it. */
  readonly value: string | undefined;
}

function scanComparison(text: string): Scanned {
  const key = readQuoted(text, text.search(/\S|$/));
  if (key === undefined) return { key: "", operator: "", value: undefined };
  const rest = /^\)\s+(\S+)(?:\s+|$)/.exec(text.slice(key.end));
  if (rest === null) return { key: key.value, operator: "", value: undefined };
  const value = readQuoted(text, key.end + rest[0].length);
  return { key: key.value, operator: rest[1]!, value: value?.value };
}

function operand(target: number, value: string, line: string): Init<api.Compare> {
  const { VALUE, LEASE, VERSION, CREATE } = api.COMPARE_TARGET;
  if (target === VALUE) return { value: argBytes(value) };
  try {
    if (target === LEASE) return { lease: parseInt64(value, 16) };
    const number = Number(parseInt64(value, 10));
    if (target === VERSION) return { version: number };
    return target === CREATE ? { createRevision: number } : { modRevision: number };
  } catch (error) {
    if (!(error instanceof GoTextError)) throw error;
    throw new TxnSyntaxError(`invalid txn compare request: ${line}`);
  }
}

/**
 * etcd's configuration file: YAML, of which JSON is a part. With a file, the command line and the
 * environment do not count at all.
 */
import { readFileSync } from "node:fs";
import { urlProblem, errnoText } from "../base/index.ts";
import { GoTextError } from "../cli/index.ts";
import { type Field, findField, type Group, TOP } from "./config-file-fields.ts";
import { gatesProblem } from "./features.ts";
import type { FlagName } from "./flag-table.ts";
import { FlagError, type ParsedFlags } from "./flags.ts";
import { isRecord, kindOf, textOfValue } from "./json-types.ts";

export interface FileFlags extends ParsedFlags {
  /** Keys that mean nothing, which etcd would pass over in silence. */
  readonly unknownKeys: readonly string[];
}

/** Reads and checks a file. Throws FlagError with etcd's texts. */
export async function readConfigFile(path: string): Promise<FileFlags> {
  const content = await parseYaml(readText(path));
  const values = new Map<FlagName, string>();
  const unknownKeys: string[] = [];
  try {
    if (content !== null) readGroup(content, TOP, { values, unknownKeys });
  } catch (error) {
    if (!(error instanceof GoTextError)) throw error;
    throw new FlagError(`error unmarshaling JSON: while decoding JSON: ${error.message}`);
  }
  dropEmpty(values);
  checkValues(values);
  return { values, source: "file", unknownKeys };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const call = code === "EISDIR" ? "read" : "open";
    throw new FlagError(`${call} ${path}: ${errnoText(error as NodeJS.ErrnoException)}`);
  }
}

/** The library is loaded only when there is a file to read: it would slow every start. */
async function parseYaml(text: string): Promise<unknown> {
  const { parse, YAMLParseError } = await import("yaml");
  try {
    // The dialect of etcd's library: `yes` is true, and a later key replaces an earlier one.
    return parse(text, {
      version: "1.1",
      uniqueKeys: false,
      intAsBigInt: true,
      logLevel: "error",
    });
  } catch (error) {
    const { message } = error as Error;
    if (!(error instanceof YAMLParseError)) throw new FlagError(message);
    const line = error.linePos?.[0].line;
    const reason = message.split(" at line ", 1)[0]!;
    const place = line === undefined ? "" : `line ${line}: `;
    throw new FlagError(`error converting YAML to JSON: yaml: ${place}${reason}`);
  }
}

interface Result {
  readonly values: Map<FlagName, string>;
  readonly unknownKeys: string[];
}

/** Keys in the order of the alphabet, as etcd meets them: the first that is wrong is told. */
function readGroup(content: unknown, group: Group, result: Result): void {
  if (!isRecord(content)) {
    const where = group.path === "" ? "Go value" : `Go struct field ${group.outer}.${group.path}`;
    const type = group.path === "" ? "embed.configYAML" : group.type;
    const kind = kindOf(content);
    throw new GoTextError(`json: cannot unmarshal ${kind} into ${where} of type ${type}`);
  }
  for (const key of Object.keys(content).toSorted()) {
    const value = content[key];
    const found = findField(group, key);
    if (found === undefined) {
      const outer = group.path === "" ? "" : `${group.path.replace(/^\w+\./, "")}.`;
      result.unknownKeys.push(outer + key);
    } else if (value !== null && value !== undefined) {
      readField(value, found, result);
    }
  }
}

function readField(value: unknown, field: Field, result: Result): void {
  if (field.kind === "group") return readGroup(value, field.group, result);
  const text = textOfValue(value, field.type, field.path);
  if (field.flag !== undefined) result.values.set(field.flag, text);
  else if (text !== "" && text !== "false") {
    throw new FlagError(`${field.path} is not supported yet and cannot be ignored safely`);
  }
}

/** Where etcd takes nothing for no answer, and keeps the default. */
const EMPTY_IS_DEFAULT: readonly FlagName[] = [
  "listen-peer-urls",
  "listen-client-urls",
  "listen-client-http-urls",
  "initial-advertise-peer-urls",
  "advertise-client-urls",
  "listen-metrics-urls",
  "cors",
  "host-whitelist",
  "feature-gates",
  "initial-cluster-state",
  "log-outputs",
  "discovery-endpoints",
  "cipher-suites",
];

function dropEmpty(values: Map<FlagName, string>): void {
  for (const name of EMPTY_IS_DEFAULT) if (values.get(name) === "") values.delete(name);
}

/** URLs in etcd's order, with its slip in the name of one. */
const URL_KEYS: readonly (readonly [flag: FlagName, called: string])[] = [
  ["listen-peer-urls", "listen-peer-urls"],
  ["listen-client-urls", "listen-client-urls"],
  ["listen-client-http-urls", "listen-client-http-urls"],
  ["initial-advertise-peer-urls", "initial-advertise-peer-urls"],
  ["advertise-client-urls", "advertise-peer-urls"],
  ["listen-metrics-urls", "listen-metrics-urls"],
];

function checkValues(values: ReadonlyMap<FlagName, string>): void {
  const gates = gatesProblem(values.get("feature-gates") ?? "");
  if (gates !== undefined) throw new FlagError(gates);
  for (const [flag, called] of URL_KEYS) {
    const problem = listProblem(values.get(flag));
    if (problem === undefined) continue;
    throw new FlagError(`unexpected error setting up ${called}: ${problem}`, "text");
  }
  const cors = values.get("cors");
  const problem = cors === "*" ? undefined : listProblem(cors);
  if (problem !== undefined) {
    throw new FlagError(`new UniqueURLs should never fail: ${problem}`, "panic");
  }
}

function listProblem(urls: string | undefined): string | undefined {
  if (urls === undefined) return undefined;
  for (const url of urls.split(",")) {
    const problem = urlProblem(url);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

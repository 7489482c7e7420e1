import { GoTextError, parseBool, parseDurationMs, parseInt64, parseUint64 } from "../cli/index.ts";
import { quoteText, urlProblem } from "../base/index.ts";
import { gatesProblem } from "./features.ts";
import type { Flag, Kind } from "./flag-table.ts";

/** Why a text is no value of a flag, in the words of Go's flags and etcd's; undefined if it is. */
export function valueProblem(flag: Flag, text: string): string | undefined {
  switch (flag.kind) {
    case "bool":
      return problemOf(() => parseBool(text), "parse error");
    case "duration":
      return problemOf(() => parseDurationMs(text), "parse error");
    case "uint32":
      return uint32Problem(text);
    case "uint":
    case "uint64":
    case "int":
    case "int64":
      return numberProblem(flag.kind, text);
    case "urls":
      return text === "" ? undefined : urlsProblem(text);
    case "urls or *":
      return text === "*" ? undefined : urlsProblem(text);
    case "gates":
      return gatesProblem(text);
    case "choice":
      return flag.valid!.includes(text) ? undefined : "invalid value";
    case "choices": {
      const wrong = text.split(",").find((word) => !flag.valid!.includes(word));
      return wrong === undefined ? undefined : `invalid value ${quoteText(wrong)}`;
    }
    default:
      return undefined;
  }
}

function problemOf(read: () => unknown, problem: string): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof GoTextError) return problem;
    throw error;
  }
}

function numberProblem(kind: Kind, text: string): string | undefined {
  const parse = kind.startsWith("uint") ? parseUint64 : parseInt64;
  try {
    parse(text, 0);
    return undefined;
  } catch (error) {
    const isRange = (error as Error).message.endsWith("value out of range");
    return isRange ? "value out of range" : "parse error";
  }
}

/** A value of etcd's own kind: its errors are passed on as they come. */
function uint32Problem(text: string): string | undefined {
  try {
    if (parseUint64(text, 0) < 2n ** 32n) return undefined;
    return `strconv.ParseUint: parsing ${quoteText(text)}: value out of range`;
  } catch (error) {
    return (error as Error).message;
  }
}

function urlsProblem(text: string): string | undefined {
  for (const part of text.split(",")) {
    const problem = urlProblem(part);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

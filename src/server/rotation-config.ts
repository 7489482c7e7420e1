import { GoTextError } from "../cli/index.ts";
import { ROTATION_DEFAULTS, type Rotation } from "../observe/index.ts";
import { FlagError } from "./flags.ts";
import { isRecord, kindOf, textOfValue } from "./json-types.ts";

/** Reads `--log-rotation-config-json`. Throws FlagError with etcd's texts. */
export function parseRotation(json: string): Rotation {
  const value = parseJson(json);
  if (value === null) return ROTATION_DEFAULTS;
  if (!isRecord(value)) {
    throw new FlagError(
      `invalid log rotation config: json: cannot unmarshal ${kindOf(value)} into ` +
        "Go value of type embed.logRotationConfig",
    );
  }
  return {
    maxsize: Number(field(value, "maxsize", "int") ?? 0),
    maxage: Number(field(value, "maxage", "int") ?? 0),
    maxbackups: Number(field(value, "maxbackups", "int") ?? 0),
    localtime: field(value, "localtime", "bool") === "true",
    compress: field(value, "compress", "bool") === "true",
  };
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    const first = json.trimStart().charAt(0);
    const isCut = first === "" || first === "{" || first === "[" || first === '"';
    const reason = isCut
      ? "unexpected end of JSON input"
      : `invalid character '${first}' looking for beginning of value`;
    throw new FlagError(`improperly formatted log rotation config: ${reason}`);
  }
}

function field(
  record: Readonly<Record<string, unknown>>,
  name: keyof Rotation,
  type: "int" | "bool",
): string | undefined {
  const value = Object.entries(record).find(([key]) => key.toLowerCase() === name)?.[1];
  if (value === undefined || value === null) return undefined;
  try {
    return textOfValue(value, type, `logRotationConfig.Logger.${name}`);
  } catch (error) {
    if (!(error instanceof GoTextError)) throw error;
    throw new FlagError(`invalid log rotation config: ${error.message}`);
  }
}

/** A message as JSON in one of the many spellings that protobuf allows. */
import { toJson, type DescMessage, type JsonValue, type MessageShape } from "@bufbuild/protobuf";
import type { Prng } from "../../src/base/index.ts";

/** 64-bit numbers may be written as numbers or as texts. */
const NUMBERS = [
  ["limit", "revision", "lease", "ID", "TTL", "version", "member_?[iI][dD]", "target_?ID"],
  ["(?:create|mod|start|min|max)_?(?:[mM]od|[cC]reate)?_?[rR]evision", "watch_?[iI]d"],
].flat();
const QUOTED_NUMBER = new RegExp(`"(${NUMBERS.join("|")})":"(-?\\d+)"`, "g");
const BASE64 = /"(key|value|range_end|rangeEnd)":"([A-Za-z0-9+/]*)(=*)"/g;

export function jsonText<D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  prng: Prng,
): string {
  const plain: JsonValue = toJson(schema, message, {
    useProtoFieldName: !prng.oneIn(3),
    enumAsInteger: prng.oneIn(3),
    alwaysEmitImplicit: prng.oneIn(4),
  });
  let text = JSON.stringify(plain, undefined, prng.oneIn(5) ? 2 : 0);
  if (prng.oneIn(3)) text = text.replaceAll(QUOTED_NUMBER, '"$1":$2');
  if (prng.oneIn(4)) text = text.replaceAll(BASE64, urlSafe);
  if (prng.oneIn(6)) text = text.replace(/\}\s*$/, withUnknown);
  return text;
}

function urlSafe(_: string, name: string, digits: string): string {
  return `"${name}":"${digits.replaceAll("+", "-").replaceAll("/", "_")}"`;
}

/** What comes last in an object, with a field behind it that nobody knows. */
function withUnknown(end: string, at: number, text: string): string {
  const comma = text[at - 1] === "{" ? "" : ",";
  return `${comma}"nobodyKnows":{"a":[1,"}",null]}${end}`;
}

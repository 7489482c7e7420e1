import { Metadata, TIMEOUT_UNIT_MS } from "../grpc/index.ts";
import type { RequestHead } from "./exchange.ts";

const PREFIX = "grpc-metadata-";

/** Fields with a registered meaning; a call gets to see them under names of their own. */
const PERMANENT = new Set([
  "accept",
  "accept-charset",
  "accept-language",
  "accept-ranges",
  "authorization",
  "cache-control",
  "content-type",
  "cookie",
  "date",
  "expect",
  "from",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-schedule-tag-match",
  "if-unmodified-since",
  "max-forwards",
  "origin",
  "pragma",
  "referer",
  "user-agent",
  "via",
  "warning",
]);

/** The metadata of a call that comes as an HTTP request (grpc-gateway `AnnotateContext`). */
export function gatewayMetadata(head: RequestHead): Metadata {
  const entries: (readonly [string, string])[] = [];
  const forwarded: string[] = [];
  for (const [name, value] of head.fields()) {
    if (name === "x-forwarded-for") forwarded.push(value);
    if (name === "authorization") entries.push([name, value]);
    const seenAs = metadataName(name);
    if (seenAs !== undefined && /^[ -~]*$/.test(value)) entries.push([seenAs, value]);
  }
  const host = head.field("x-forwarded-host") ?? head.field("host");
  if (host !== undefined) entries.push(["x-forwarded-host", host]);
  if (head.peer !== "") forwarded.push(head.peer);
  if (forwarded.length > 0) entries.push(["x-forwarded-for", forwarded.join(", ")]);
  return new Metadata(entries);
}

function metadataName(field: string): string | undefined {
  // Go's server takes the host out of the fields before the gateway sees them.
  if (field === "host") return undefined;
  if (PERMANENT.has(field)) return `grpcgateway-${field}`;
  return field.startsWith(PREFIX) ? field.slice(PREFIX.length) : undefined;
}

/** `Grpc-Timeout` in milliseconds, undefined for none; null when it cannot be read. */
export function gatewayTimeoutMs(head: RequestHead): number | undefined | null {
  const text = head.field("grpc-timeout");
  if (text === undefined || text === "") return undefined;
  const match = /^([+-]?\d{1,18})([HMSmun])$/.exec(text);
  if (match === null) return null;
  const ms = Number(match[1]) * TIMEOUT_UNIT_MS[match[2]!]!;
  return ms === 0 ? undefined : ms;
}

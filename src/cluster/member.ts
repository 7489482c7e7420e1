import { type ConfState, EMPTY_CONF_STATE } from "../proto/index.ts";

/** One member as the cluster knows it. `name` and `clientUrls` stay empty until it has started. */
export interface Member {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
  readonly isLearner: boolean;
  readonly name: string;
  readonly clientUrls: readonly string[];
}

/** The configuration that the members are (etcd: `buildConfStateFromV3store`). */
export function confStateOf(members: readonly Member[]): ConfState {
  const ids = (isLearner: boolean) =>
    members.filter((member) => member.isLearner === isLearner).map(({ id }) => id);
  return { ...EMPTY_CONF_STATE, voters: ids(false), learners: ids(true) };
}

/** Lower-case hexadecimal without leading zeros: how ids stand in keys, headers and logs. */
export function idToHex(id: bigint): string {
  return id.toString(16);
}

/**
 * The stored JSON of a member: field order, omissions and escapes of Go's encoder, because other
 * members read it and snapshots are compared byte for byte (formats: bucket `members`).
 * A conf change's context has `id` 0 left out.
 */
export function memberToJson(member: Member, options: { withId: boolean }): string {
  const fields: string[] = [];
  if (options.withId) fields.push(`"id":${member.id}`);
  fields.push(`"peerURLs":${urlsToJson(member.peerUrls)}`);
  if (member.isLearner) fields.push(`"isLearner":true`);
  if (member.name !== "") fields.push(`"name":${goJson(member.name)}`);
  if (member.clientUrls.length > 0) fields.push(`"clientURLs":${goJson(member.clientUrls)}`);
  return `{${fields.join(",")}}`;
}

/** The context of the change that gives a learner its vote (etcd: `ConfigChangeContext`). */
export function promotionToJson(id: bigint): string {
  return `{"id":${id},"peerURLs":null,"isPromote":true}`;
}

/** All members as `/members` answers them. */
export function membersToJson(members: readonly Member[]): string {
  return `[${members.map((member) => memberToJson(member, { withId: true })).join(",")}]`;
}

/** Reads what `/members` answers. Throws SyntaxError. */
export function membersFromJson(text: string): Member[] {
  const raw = parseExact(text);
  if (!Array.isArray(raw)) throw new SyntaxError("members are a list");
  return raw.map(memberFrom);
}

/** Reads a member whose id may exceed 2^53. Throws SyntaxError on text that is no member. */
export function memberFromJson(text: string): Member {
  return memberFrom(parseExact(text));
}

/** Reads the context of a change that adds a member or promotes one. Throws SyntaxError. */
export function additionFromJson(text: string): { member: Member; isPromotion: boolean } {
  const raw = parseExact(text);
  return {
    member: memberFrom(raw),
    isPromotion: (raw as Partial<Record<string, unknown>>)["isPromote"] === true,
  };
}

function memberFrom(value: unknown): Member {
  const raw = value as Partial<Record<string, unknown>> | null;
  if (raw === null || typeof raw !== "object") throw new SyntaxError("a member is an object");
  return {
    id: raw["id"] === undefined ? 0n : BigInt(raw["id"] as bigint | number),
    peerUrls: strings(raw["peerURLs"]),
    isLearner: raw["isLearner"] === true,
    name: typeof raw["name"] === "string" ? raw["name"] : "",
    clientUrls: strings(raw["clientURLs"]),
  };
}

/** JSON in which every whole number becomes a bigint, so that 64-bit ids survive. */
export function parseExact(text: string): unknown {
  const revive = (_key: string, value: unknown, context: { source?: string }): unknown =>
    typeof value === "number" && Number.isInteger(value) && context.source !== undefined
      ? BigInt(context.source)
      : value;
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown);
}

/** Go has no list where there is nothing in it. */
function urlsToJson(urls: readonly string[]): string {
  return urls.length === 0 ? "null" : goJson(urls);
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** Go's encoding/json also escapes what could end a script element. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

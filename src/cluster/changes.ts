import { bytesToText } from "../base/index.ts";
import { CONF_CHANGE_TYPE, type ConfChange, type ErrorName } from "../proto/index.ts";
import { additionFromJson, type Member, memberFromJson } from "./member.ts";
import type { Members } from "./members.ts";

/** What a configuration change asks for, its context read. */
export type Change =
  | { readonly kind: "add"; readonly id: bigint; readonly member: Member }
  /** A learner gets its vote. */
  | { readonly kind: "promote"; readonly id: bigint }
  | { readonly kind: "remove"; readonly id: bigint }
  | { readonly kind: "update"; readonly id: bigint; readonly peerUrls: readonly string[] };

/** Throws on a change that no member makes: the log is not one of etcd's. */
export function readChange({ type, nodeId: id, context }: ConfChange): Change {
  const text = bytesToText(context);
  switch (type) {
    case CONF_CHANGE_TYPE.addNode:
    case CONF_CHANGE_TYPE.addLearner: {
      const { member, isPromotion } = additionFromJson(text);
      sameId(id, member);
      return isPromotion ? { kind: "promote", id } : { kind: "add", id, member };
    }
    case CONF_CHANGE_TYPE.removeNode:
      return { kind: "remove", id };
    case CONF_CHANGE_TYPE.updateNode: {
      const member = memberFromJson(text);
      sameId(id, member);
      return { kind: "update", id, peerUrls: member.peerUrls };
    }
    default:
      throw new Error(`unknown type ${type} of a configuration change`);
  }
}

function sameId(id: bigint, member: Member): void {
  if (member.id !== id) throw new Error("a configuration change names two members");
}

/**
 * Why a committed change is void, as all members find (etcd: `ValidateConfigurationChange`);
 * undefined when it is to be carried out.
 */
export function refusalOf(
  change: Change,
  members: Members,
  { learnersMax }: { readonly learnersMax: number },
): ErrorName | undefined {
  if (members.isRemoved(change.id)) return "memberNotFound";
  const known = members.known(change.id);
  if (change.kind === "add") {
    if (known !== undefined) return "memberExist";
    if (sharesUrl(change.member.peerUrls, members.allKnown())) return "peerUrlExist";
    const learners = members.allKnown().filter(({ isLearner }) => isLearner).length;
    const isTooMany = change.member.isLearner && learners + 1 > learnersMax;
    return isTooMany ? "tooManyLearners" : undefined;
  }
  if (known === undefined) return "memberNotFound";
  if (change.kind === "promote") return known.isLearner ? undefined : "memberNotLearner";
  if (change.kind === "remove") return undefined;
  const others = members.allKnown().filter(({ id }) => id !== change.id);
  return sharesUrl(change.peerUrls, others) ? "peerUrlExist" : undefined;
}

/** Why a change is void, as logs say it (etcd: `membership/errors.go`). */
export function textOfVoid(
  error: ErrorName,
  { isRemoved }: { readonly isRemoved: boolean },
): string {
  return `membership: ${isRemoved ? "ID removed" : (VOID_TEXTS[error] ?? error)}`;
}

const VOID_TEXTS: Readonly<Partial<Record<ErrorName, string>>> = {
  memberNotFound: "ID not found",
  memberExist: "ID exists",
  peerUrlExist: "peerURL exists",
  tooManyLearners: "too many learner members in cluster",
  memberNotLearner: "can only promote a learner member",
};

function sharesUrl(urls: readonly string[], members: readonly Member[]): boolean {
  return members.some(({ peerUrls }) => peerUrls.some((url) => urls.includes(url)));
}

/** What a change did to the members: for those who keep links to them. */
export interface ChangeEffect {
  /** Added, promoted or at other URLs, as it is now. */
  readonly set: Member | undefined;
  /** As it was. */
  readonly removed: Member | undefined;
}

/** Carries out a change that was not refused. */
export function carryOut(change: Change, members: Members): ChangeEffect {
  const set = (member: Member): ChangeEffect => ({ set: member, removed: undefined });
  switch (change.kind) {
    case "add":
      return set(members.add(change.member));
    case "promote":
      return set(members.promote(change.id));
    case "update":
      return set(members.setPeerUrls(change.id, change.peerUrls));
    case "remove": {
      const removed = members.known(change.id);
      members.remove(change.id);
      return { set: undefined, removed };
    }
  }
}

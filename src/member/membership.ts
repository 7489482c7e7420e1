import type { State } from "../apply/index.ts";
import {
  countConnected,
  HEALTH_MS,
  LEARNER_READY_SHARE,
  idToHex,
  type Member as ClusterMember,
  memberText,
  memberToJson,
  membersFromJson,
  membersToJson,
  type Outlook,
  outlookOf,
  promotionToJson,
  refusalOfLearner,
  refusalToAdd,
  refusalToPromote,
  refusalToRemove,
  type Standing,
  textOfVoid,
} from "../cluster/index.ts";
import { deferred, textToBytes } from "../base/index.ts";
import {
  CONF_CHANGE_TYPE,
  type ConfChange,
  type ErrorName,
  type Failure,
  fail,
} from "../proto/index.ts";
import { confChangeName, type RawNode } from "../raft/index.ts";
import type { Leadership } from "./leadership.ts";
import type { ChangeWaiter } from "./member-changes.ts";
import type { Meters } from "./meters.ts";
import type { ErrorLines, NetworkPort, PeerReply, TimePort } from "./ports.ts";

/** How long a leader waits until what is committed is applied, before it judges a learner. */
const APPLY_MS_MAX = 1000;

export interface MembershipOptions {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly state: State;
  readonly node: RawNode;
  readonly leadership: Leadership;
  readonly network: NetworkPort;
  readonly time: TimePort;
  readonly lines: ErrorLines;
  readonly meters: Meters;
  /** Whether changes that could cost the cluster its quorum are refused. */
  readonly checksReconfiguration: boolean;
  readonly newMemberId: (peerUrls: readonly string[]) => bigint;
  readonly change: (change: Omit<ConfChange, "id">, waiter: ChangeWaiter) => void;
  readonly isStopped: () => boolean;
}

/** The members after a change, or why it was not made. */
export type ChangeOutcome = readonly ClusterMember[] | Failure;

export const isRefused = (outcome: ChangeOutcome): outcome is Failure => "code" in outcome;

/** Changes of the members as clients ask for them (etcd: `server.go`, AddMember and the others). */
export class Membership {
  readonly #options: MembershipOptions;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  async add(
    peerUrls: readonly string[],
    { isLearner }: { readonly isLearner: boolean },
  ): Promise<
    Failure | { readonly member: ClusterMember; readonly members: readonly ClusterMember[] }
  > {
    const id = this.#options.newMemberId(peerUrls);
    const member: ClusterMember = { id, peerUrls, isLearner, name: "", clientUrls: [] };
    const { checksReconfiguration } = this.#options;
    const standing = this.#standing();
    const refusal = checksReconfiguration ? refusalToAdd(standing, member) : undefined;
    if (refusal !== undefined) {
      const fields = { "requested-member-add": memberText(member) };
      return this.#refuse("add", refusal, { outlook: outlookOf(standing, "add"), fields });
    }
    const members = await this.#change({
      type: isLearner ? CONF_CHANGE_TYPE.addLearner : CONF_CHANGE_TYPE.addNode,
      nodeId: id,
      context: textToBytes(memberToJson(member, { withId: true })),
    });
    return isRefused(members) ? members : { member, members };
  }

  async remove(id: bigint): Promise<ChangeOutcome> {
    const { checksReconfiguration } = this.#options;
    const standing = this.#standing();
    const refusal = checksReconfiguration ? refusalToRemove(standing, id) : undefined;
    if (refusal !== undefined) {
      const fields =
        refusal === "unhealthy"
          ? { "requested-member-remove": idToHex(id), "active-peers": countConnected(standing) }
          : { "requested-member-remove-id": idToHex(id) };
      const outlook = outlookOf(standing, { remove: id });
      return this.#refuse("remove", refusal, { outlook, fields });
    }
    const context = new Uint8Array(0);
    return this.#change({ type: CONF_CHANGE_TYPE.removeNode, nodeId: id, context });
  }

  /** Other peer URLs, as they were given: nobody looks at them. */
  async update(id: bigint, peerUrls: readonly string[]): Promise<ChangeOutcome> {
    const member = { id, peerUrls, isLearner: false, name: "", clientUrls: [] };
    return this.#change({
      type: CONF_CHANGE_TYPE.updateNode,
      nodeId: id,
      context: textToBytes(memberToJson(member, { withId: true })),
    });
  }

  /** Gives a learner its vote: the leader decides, who alone knows how far the learner is. */
  async promote(id: bigint): Promise<ChangeOutcome> {
    const { leadership, network } = this.#options;
    const promoteHere = async () => {
      const outcome = await this.#promoteHere(id);
      return outcome === fail("notLeader") ? undefined : outcome;
    };
    const here = await promoteHere();
    if (here !== undefined) return here;
    return leadership.reach(async (leader) => {
      if (leadership.isOwn) return promoteHere();
      const reply = await network.promote(leader, id);
      if (reply.kind === "value") return membersFromJson(reply.value);
      return reply.kind === "refused" && FINAL.has(reply.failure) ? reply.failure : undefined;
    });
  }

  /** The same for a peer: by this member, or not at all. The value is JSON, the new members. */
  async answerPromotion(id: bigint): Promise<PeerReply<string>> {
    const outcome = await this.#promoteHere(id);
    if (isRefused(outcome)) return { kind: "refused", failure: outcome };
    return { kind: "value", value: membersToJson(outcome) };
  }

  async #promoteHere(id: bigint): Promise<ChangeOutcome> {
    const late = await this.#waitApplied();
    if (late !== undefined) return late;
    const refusal = this.#refusalToPromote(id);
    if (refusal === "notLeader") return fail(refusal);
    const { meters } = this.#options;
    const outcome =
      refusal === undefined
        ? await this.#change({
            type: CONF_CHANGE_TYPE.addNode,
            nodeId: id,
            context: textToBytes(promotionToJson(id)),
          })
        : fail(refusal);
    if (isRefused(outcome)) meters.promotionFailed(REASONS.get(outcome) ?? outcome.message);
    else meters.promotions++;
    return outcome;
  }

  #refusalToPromote(id: bigint): ErrorName | undefined {
    const { memberId, node, lines, checksReconfiguration } = this.#options;
    const { softState, progress } = node.status();
    const matches =
      softState.role === "leader"
        ? new Map([...progress].map(([member, { match }]) => [member, match]))
        : undefined;
    const learner = refusalOfLearner(matches, { learner: id, leader: memberId });
    if (learner === "learnerNotReady") {
      lines.error("rejecting promote learner: learner is not ready", {
        "learner-ready-percent": matches!.get(id)! / matches!.get(memberId)!,
        "ready-percent-threshold": LEARNER_READY_SHARE,
      });
    }
    if (learner !== undefined || !checksReconfiguration) return learner;
    const standing = this.#standing();
    const quorum = refusalToPromote(standing);
    if (quorum !== undefined) {
      const fields = { "requested-member-remove-id": idToHex(id) };
      this.#refuse("promote", quorum, { outlook: outlookOf(standing, "promote"), fields });
    }
    return quorum;
  }

  async #waitApplied(): Promise<Failure | undefined> {
    const { state, node, time, isStopped } = this.#options;
    const { commit } = node.status();
    const until = time.now() + APPLY_MS_MAX;
    while (state.appliedIndex < commit) {
      if (isStopped()) return fail("stopped");
      if (time.now() > until) return fail("timeoutWaitAppliedIndex");
      await time.sleep(1);
    }
    return undefined;
  }

  #standing(): Standing {
    const { memberId: self, state, network, time } = this.#options;
    const since = time.now() - HEALTH_MS;
    return {
      members: state.members.list(),
      self,
      isActive: (id) => network.activeSince(id) !== undefined,
      isConnected: (id) => (network.activeSince(id) ?? Number.POSITIVE_INFINITY) < since,
    };
  }

  #refuse(
    what: "add" | "remove" | "promote",
    why: ErrorName,
    { outlook, fields }: { readonly outlook: Outlook; readonly fields: object },
  ): Failure {
    const { lines, memberId, clusterId } = this.#options;
    const failure = fail(why);
    if (why === "memberNotEnoughStarted") {
      lines.warn(`rejecting member ${what}; started member will be less than quorum`, {
        "number-of-started-member": outlook.started,
        quorum: outlook.quorum,
        "cluster-id": idToHex(clusterId),
        "local-member-id": idToHex(memberId),
      });
    }
    const reason = (why === "unhealthy" && BREAKS_QUORUM[what]) || NOT_ENOUGH;
    lines.warn(`rejecting member ${what} request; ${reason}`, {
      "local-member-id": idToHex(memberId),
      ...fields,
      error: failure.message,
    });
    return failure;
  }

  /** The members are those right after the change was applied. */
  #change(change: Omit<ConfChange, "id">): Promise<ChangeOutcome> {
    const { promise, resolve } = deferred<ChangeOutcome>();
    const { state, lines, memberId } = this.#options;
    this.#options.change(change, {
      settle: (error) => {
        lines.info("applied a configuration change through raft", {
          "local-member-id": idToHex(memberId),
          "raft-conf-change": confChangeName(change.type),
          "raft-conf-change-node-id": idToHex(change.nodeId),
        });
        resolve(error === undefined ? state.members.list() : fail(error));
      },
      fail: resolve,
    });
    return promise;
  }
}

/** What the leader says once and for all; after anything else it is asked again. */
const FINAL = new Set([fail("learnerNotReady"), fail("memberNotFound"), fail("memberNotLearner")]);

/** What etcd's metrics call refusals that have another text for clients. */
const REASONS: ReadonlyMap<Failure, string> = new Map(
  (["memberNotFound", "memberNotLearner"] as const).map((name) => [
    fail(name),
    textOfVoid(name, { isRemoved: false }),
  ]),
);

const NOT_ENOUGH = "not enough healthy members";
const BREAKS_QUORUM = {
  add: "local member has not been connected to majority peers, reconfigure breaks active quorum",
  remove: "local member has not been connected to all peers, reconfigure breaks active quorum",
  promote: undefined,
};

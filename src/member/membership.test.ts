import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesToText } from "../base/index.ts";
import { type Member as ClusterMember, membersToJson } from "../cluster/index.ts";
import { CONF_CHANGE_TYPE, fail } from "../proto/index.ts";
import { Leadership, type LeadershipOptions } from "./leadership.ts";
import { isRefused, Membership, type MembershipOptions } from "./membership.ts";
import { Meters } from "./meters.ts";
import type { PeerReply } from "./ports.ts";

const member = (id: bigint, { isLearner = false, isStarted = true } = {}): ClusterMember => ({
  id,
  peerUrls: [`http://x:${id}`],
  isLearner,
  name: isStarted ? `m${id}` : "",
  clientUrls: [],
});

interface World {
  readonly membership: Membership;
  readonly meters: Meters;
  /** `type nodeId context` of each change that went to the log. */
  readonly changes: string[];
  readonly asked: bigint[];
  /** What the log was told, but for what went well. */
  readonly lines: (readonly [level: string, message: string, fields: object])[];
  leader: bigint;
  answer: PeerReply<string>;
  readonly reached: Map<bigint, number>;
  readonly matches: Map<bigint, number>;
}

/** Member 1 of three voters and a learner, 4; it leads as long as `leader` is 1. */
function world({ checksReconfiguration = true, isStarted = true } = {}): World {
  const members = [1n, 2n, 3n].map((id) => member(id, { isStarted }));
  members.push(member(4n, { isLearner: true }));
  let now = 100_000;
  const made = {
    meters: new Meters(),
    changes: [] as string[],
    lines: [] as World["lines"],
    asked: [] as bigint[],
    leader: 1n,
    answer: { kind: "unreached", reason: "gone" } as PeerReply<string>,
    reached: new Map([2n, 3n, 4n].map((id) => [id, 0])),
    matches: new Map([1n, 2n, 3n, 4n].map((id) => [id, 1000])),
  };
  const time = { now: () => now, sleep: async (ms: number) => void (now += ms) };
  const ofLeadership = {
    memberId: 1n,
    time,
    tickMs: 100,
    requestTimeoutMs: 1000,
    isStopped: () => false,
  };
  const leadership = new Leadership(ofLeadership as unknown as LeadershipOptions);
  const options = {
    memberId: 1n,
    clusterId: 0xc1n,
    state: { appliedIndex: 5, members: { list: () => members } },
    node: {
      status: () => ({
        commit: 5,
        softState: { role: made.leader === 1n ? "leader" : "follower" },
        progress: new Map([...made.matches].map(([id, match]) => [id, { match }])),
      }),
    },
    leadership: Object.defineProperty(leadership, "leader", { get: () => made.leader }),
    network: {
      activeSince: (id: bigint) => made.reached.get(id),
      promote: async (leader: bigint) => {
        made.asked.push(leader);
        return made.answer;
      },
    },
    time,
    lines: {
      info: () => {},
      warn: (message: string, fields: object) => made.lines.push(["warn", message, fields]),
      error: (message: string, fields: object) => made.lines.push(["error", message, fields]),
    },
    meters: made.meters,
    checksReconfiguration,
    newMemberId: () => 9n,
    change: (
      { type, nodeId, context }: { type: number; nodeId: bigint; context: Uint8Array },
      waiter: { settle(error: undefined): void },
    ) => {
      made.changes.push(`${type} ${nodeId} ${bytesToText(context)}`.trim());
      waiter.settle(undefined);
    },
    isStopped: () => false,
  };
  const membership = new Membership(options as unknown as MembershipOptions);
  return Object.assign(made, { membership });
}

test("members are added, updated and removed by changes that read as etcd's", async () => {
  const { membership, changes } = world();
  const added = await membership.add(["http://x:9"], { isLearner: true });
  assert.ok("members" in added && added.member.id === 9n);
  assert.ok(!isRefused(await membership.update(4n, ["http://y:4"])));
  assert.ok(!isRefused(await membership.remove(4n)));
  assert.deepEqual(changes, [
    `${CONF_CHANGE_TYPE.addLearner} 9 {"id":9,"peerURLs":["http://x:9"],"isLearner":true}`,
    `${CONF_CHANGE_TYPE.updateNode} 4 {"id":4,"peerURLs":["http://y:4"]}`,
    `${CONF_CHANGE_TYPE.removeNode} 4`,
  ]);
});

test("a change that could cost the quorum is refused, unless nobody wants that checked", async () => {
  const { membership, reached, changes } = world();
  // The third was reached for the first time a moment ago.
  reached.delete(2n);
  reached.set(3n, 99_000);
  assert.equal(await membership.add(["http://x:9"], { isLearner: false }), fail("unhealthy"));
  assert.equal(await membership.remove(3n), fail("unhealthy"));
  assert.ok(!isRefused(await membership.remove(2n)), "one that is down is no part of the quorum");
  assert.equal(changes.length, 1);
  const unchecked = world({ checksReconfiguration: false });
  unchecked.reached.clear();
  assert.ok(!isRefused(await unchecked.membership.remove(3n)));
});

test("a leader promotes a learner that has nine tenths of its log", async () => {
  const { membership, matches, changes, meters } = world();
  matches.set(4n, 899);
  assert.equal(await membership.promote(4n), fail("learnerNotReady"));
  assert.equal(await membership.promote(8n), fail("memberNotFound"));
  matches.set(4n, 900);
  assert.ok(!isRefused(await membership.promote(4n)));
  assert.deepEqual(changes, [
    `${CONF_CHANGE_TYPE.addNode} 4 {"id":4,"peerURLs":null,"isPromote":true}`,
  ]);
  assert.equal(meters.promotions, 1);
  assert.deepEqual([...meters.failedPromotions.values()], [1, 1]);
});

test("refused requests are in the log with their reasons, as in etcd's", async () => {
  const { membership, lines, reached, matches } = world();
  reached.delete(2n);
  reached.set(3n, 99_000);
  await membership.add(["http://x:9"], { isLearner: false });
  await membership.remove(3n);
  matches.set(4n, 500);
  await membership.promote(4n);
  const own = { "local-member-id": "1" };
  const unhealthy = { error: "etcdserver: unhealthy cluster" };
  assert.deepEqual(lines, [
    [
      "warn",
      "rejecting member add request; local member has not been connected to majority peers, " +
        "reconfigure breaks active quorum",
      {
        ...own,
        "requested-member-add":
          "{ID:9 RaftAttributes:{PeerURLs:[http://x:9] IsLearner:false} " +
          "Attributes:{Name: ClientURLs:[]}}",
        ...unhealthy,
      },
    ],
    [
      "warn",
      "rejecting member remove request; local member has not been connected to all peers, " +
        "reconfigure breaks active quorum",
      { ...own, "requested-member-remove": "3", "active-peers": 1, ...unhealthy },
    ],
    [
      "error",
      "rejecting promote learner: learner is not ready",
      { "learner-ready-percent": 0.5, "ready-percent-threshold": 0.9 },
    ],
  ]);
});

test("where members have not started, the log says how many have and how many it takes", async () => {
  const { membership, lines } = world({ isStarted: false });
  await membership.add(["http://x:9"], { isLearner: false });
  await membership.remove(3n);
  await membership.promote(4n);
  const counted = (what: string, started: number, quorum: number) => [
    "warn",
    `rejecting member ${what}; started member will be less than quorum`,
    {
      "number-of-started-member": started,
      quorum,
      "cluster-id": "c1",
      "local-member-id": "1",
    },
  ];
  assert.deepEqual(
    lines.filter((_, i) => i % 2 === 0),
    [counted("add", 0, 3), counted("remove", 0, 2), counted("promote", 1, 3)],
  );
  const messages = lines.filter((_, i) => i % 2 === 1).map(([, message]) => message);
  assert.deepEqual(messages, [
    "rejecting member add request; not enough healthy members",
    "rejecting member remove request; not enough healthy members",
    "rejecting member promote request; not enough healthy members",
  ]);
});

test("a follower asks the leader to promote, until that has decided", async () => {
  const made = world();
  made.leader = 2n;
  made.answer = { kind: "value", value: membersToJson([member(4n)]) };
  assert.deepEqual(await made.membership.promote(4n), [member(4n)]);
  made.answer = { kind: "refused", failure: fail("learnerNotReady") };
  assert.equal(await made.membership.promote(4n), fail("learnerNotReady"));
  assert.deepEqual(made.asked, [2n, 2n]);
  made.answer = { kind: "unreached", reason: "gone" };
  assert.equal(await made.membership.promote(4n), fail("timeout"));
  assert.ok(made.asked.length > 10);
  // A peer is answered by this member alone, so that nothing goes in circles.
  const answer = await made.membership.answerPromotion(4n);
  assert.deepEqual(answer, { kind: "refused", failure: fail("notLeader") });
  assert.deepEqual(made.changes, []);
});

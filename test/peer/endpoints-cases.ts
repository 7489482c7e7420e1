/** Requests for peer ports, and what the scripted member is to answer where it is asked. */
import {
  type ErrorName,
  fail,
  MESSAGE_TYPE,
  type Message,
  Writer,
  writeRaftMessage,
} from "../../src/proto/index.ts";
import { type FakeInbox, messageOf } from "../../src/peer/testing.ts";

export interface Ask {
  readonly name: string;
  readonly method?: string;
  readonly path: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly answer?: Partial<FakeInbox>;
}

export interface Facts {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** A member that is there, and one that was. */
  readonly learner: bigint;
  readonly removed: bigint;
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"] as const;
const hex = (id: bigint) => id.toString(16);

const PATHS = [
  ["/", "/nothing", "/raft", "/raft/", "/raft/x", "/raft/stream", "/raft/stream/", "/raft/probing"],
  ["/raft/snapshot", "/raft/snapshot/", "/raft/probing/", "/raft/stream/msgapp"],
  ["/raft/stream/msgapp/", "/raft/stream/message/1", "/raft/stream/x/1", "/raft/stream/msgapp/1/2"],
  ["/members", "/members/", "/members/x", "/members/promote", "/members/promote/"],
  ["/members/promote/zz", "/members/promote/1", "/members/promote/-1", "/members/promote/1/2"],
  ["/members/promote/18446744073709551616", "/members/hashkv", "/members/hashkv/"],
  ["/leases", "/leases/", "/leases/internal", "/leases/x", "/downgrade/enabled", "/downgrade"],
  ["/version", "/version/", "//version", "/a/../version?x=y", "/%76ersion", "/health", "/metrics"],
  ["/v3/kv/range"],
].flat();

export function encoded(m: Message): Buffer {
  const w = new Writer(64);
  writeRaftMessage(w, m);
  return Buffer.from(w.view());
}

export function peerCases(facts: Facts): Ask[] {
  return [
    ...METHODS.flatMap((method) =>
      PATHS.map((path) => ({ name: `${method} ${path}`, method, path })),
    ),
    ...streams(facts),
    ...posts(facts),
    ...snapshots(facts),
    ...leases(),
    ...hashes(facts),
    ...promotions(facts),
  ];
}

function promotions({ memberId, learner, removed }: Facts): Ask[] {
  const ask = (id: bigint, name: ErrorName): Ask => ({
    name: `promote: ${name}`,
    method: "POST",
    path: `/members/promote/${id}`,
    answer: { promoted: { kind: "refused", failure: fail(name) } },
  });
  return [
    ask(memberId, "memberNotLearner"),
    ask(learner, "learnerNotReady"),
    ask(removed, "memberNotFound"),
  ];
}

function identity({ clusterId, learner }: Facts): Record<string, string> {
  return {
    "X-Server-From": hex(learner),
    "X-Server-Version": "3.7.3",
    "X-Min-Cluster-Version": "3.0.0",
    "X-Etcd-Cluster-ID": hex(clusterId),
  };
}

/** Without `undefined` ones. */
function changed(
  fields: Record<string, string>,
  more: Record<string, string | undefined>,
): Record<string, string> {
  const all = Object.entries({ ...fields, ...more });
  return Object.fromEntries(all.filter((pair): pair is [string, string] => pair[1] !== undefined));
}

const IDENTITIES: readonly Record<string, string | undefined>[] = [
  { "X-Server-Version": undefined },
  { "X-Server-Version": "" },
  { "X-Server-Version": "2.3.0" },
  { "X-Server-Version": "3.0.0" },
  { "X-Server-Version": "3.8.0" },
  { "X-Server-Version": "4.0.0-rc.1" },
  { "X-Server-Version": "3.7" },
  { "X-Server-Version": "x" },
  { "X-Min-Cluster-Version": undefined },
  { "X-Min-Cluster-Version": "3.7.9" },
  { "X-Min-Cluster-Version": "3.8.0" },
  { "X-Min-Cluster-Version": "x" },
  { "X-Etcd-Cluster-ID": undefined },
  { "X-Etcd-Cluster-ID": "1" },
  { "X-Server-From": undefined },
  { "X-Server-From": "zz" },
  { "X-Server-From": "ab", "X-PeerURLs": "http://127.0.0.1:1" },
  { "X-Server-From": "ac", "X-PeerURLs": "nonsense" },
];

function streams(facts: Facts): Ask[] {
  const { memberId, learner, removed } = facts;
  const usual = { ...identity(facts), "X-Raft-To": hex(memberId) };
  const path = `/raft/stream/message/${hex(learner)}`;
  const ask = (at: string, more: Record<string, string | undefined> = {}): Ask => ({
    name: `stream ${at} ${JSON.stringify(more)}`,
    path: at,
    fields: changed(usual, more),
  });
  return [
    ...IDENTITIES.map((more) => ask(path, more)),
    ask(`/raft/stream/message/${hex(removed)}`),
    ask("/raft/stream/message/77"),
    ask("/raft/stream/message/78", { "X-PeerURLs": "http://127.0.0.1:1" }),
    ask("/raft/stream/message/79", { "X-PeerURLs": "nonsense" }),
    ask("/raft/stream/message/zz"),
    ask("/raft/stream/message/-1"),
    ask("/raft/stream/message/1ffffffffffffffff"),
    ask("/raft/stream/message/"),
    ask("/raft/stream/msgappv2/77"),
    ask("/raft/stream/77"),
    ask(path, { "X-Raft-To": undefined }),
    ask(path, { "X-Raft-To": "1" }),
    ask(path, { "X-Raft-To": `0${hex(memberId)}` }),
    ask(path, { "X-Raft-To": hex(memberId).toUpperCase() }),
  ];
}

function posts(facts: Facts): Ask[] {
  const { memberId, learner, removed } = facts;
  const heartbeat = (fields: Partial<Message>) =>
    encoded(
      messageOf({ type: MESSAGE_TYPE.heartbeatResp, from: learner, to: memberId, ...fields }),
    );
  const ask = (what: string, body: Buffer, more: Record<string, string | undefined> = {}): Ask => ({
    name: `post ${what} ${JSON.stringify(more)}`,
    method: "POST",
    path: "/raft",
    body,
    fields: changed(identity(facts), more),
  });
  return [
    ...IDENTITIES.map((more) => ask("", heartbeat({}), more)),
    ask("well", heartbeat({})),
    ask("nothing", Buffer.alloc(0)),
    ask("garbage", Buffer.from("garbage")),
    ask("group", Buffer.of(0x0b)),
    ask("cut short", heartbeat({ context: Buffer.from("12345678") }).subarray(0, 20)),
    ask("from a removed member", heartbeat({ from: removed })),
    ask("to another member", heartbeat({ to: 1n })),
    ask("to nobody", heartbeat({ to: 0n })),
    ask("from nobody", heartbeat({ from: 0n })),
    ask("local", heartbeat({ type: MESSAGE_TYPE.hup })),
    ask("eight MiB", Buffer.alloc(8 * 1024 * 1024, 0xff)),
  ];
}

function framed(m: Message, db = Buffer.alloc(0)): Buffer {
  const message = encoded(m);
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(message.length));
  return Buffer.concat([length, message, db]);
}

function snapshots(facts: Facts): Ask[] {
  const { memberId, learner, removed } = facts;
  const confState = {
    voters: [memberId],
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  const snapshot = { data: Buffer.from("{}"), meta: { index: 1, term: 1, confState } };
  const snap = (fields: Partial<Message>) =>
    messageOf({
      type: MESSAGE_TYPE.snap,
      from: learner,
      to: memberId,
      term: 1,
      snapshot,
      ...fields,
    });
  const ask = (what: string, body: Buffer, more: Record<string, string | undefined> = {}): Ask => ({
    name: `snapshot ${what} ${JSON.stringify(more)}`,
    method: "POST",
    path: "/raft/snapshot",
    body,
    fields: changed(identity(facts), more),
  });
  const length = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return bytes;
  };
  return [
    ...IDENTITIES.map((more) => ask("", Buffer.from("x"), more)),
    ask("empty", Buffer.alloc(0)),
    ask("half a length", Buffer.alloc(4)),
    ask("a length alone", length(10n)),
    ask("half a message", Buffer.concat([length(10n), Buffer.alloc(4)])),
    ask("of 2^62 bytes", length(2n ** 62n)),
    ask("of 65 MiB", length(65n * 1024n * 1024n)),
    ask("of no message", length(0n)),
    ask("garbage", Buffer.concat([length(3n), Buffer.from("\xff\xff\xff", "latin1")])),
    ask("another type", framed(snap({ type: MESSAGE_TYPE.app }))),
    ask("without a snapshot", framed(snap({ snapshot: undefined }))),
    ask("from a removed member", framed(snap({ from: removed }), Buffer.from("db"))),
    ask("to another member", framed(snap({ to: 1n }), Buffer.from("db"))),
  ];
}

function leases(): Ask[] {
  const ask = (path: string, what: string, body: Buffer, answer: Partial<FakeInbox> = {}): Ask => ({
    name: `${path} ${what}`,
    method: "POST",
    path,
    body,
    answer,
  });
  const lease = Buffer.of(8, 77);
  const internal = (...bytes: number[]) => Buffer.of(10, bytes.length, ...bytes);
  const value = { ttlSeconds: 599, grantedSeconds: 600, keys: [] };
  const withKeys = { ...value, keys: [Buffer.from("leased")] };
  return [
    ask("/leases", "known", lease, { ttl: { kind: "value", value: 600 } }),
    ask("/leases", "unknown", Buffer.of(8, 78)),
    ask("/leases", "nothing", Buffer.alloc(0)),
    ask("/leases", "garbage", Buffer.from("garbage")),
    ask("/leases", "too large", Buffer.alloc(65 * 1024)),
    ask("/leases/internal", "known", internal(8, 77), { lease: { kind: "value", value } }),
    ask("/leases/internal", "keys", internal(8, 77, 16, 1), {
      lease: { kind: "value", value: withKeys },
    }),
    ask("/leases/internal", "unknown", internal(8, 78)),
    ask("/leases/internal", "garbage", Buffer.from("garbage")),
    ask("/leases/internal", "nothing", Buffer.alloc(0)),
    ask("/leases/internal", "empty question", internal()),
    ask("/leases/internal", "too large", Buffer.alloc(65 * 1024)),
  ];
}

function hashes({ clusterId }: Facts): Ask[] {
  const bodies = [
    ["", "{}", "null", "[]", "1", "{", '{"revision":"5"}', '{"revision":5.5}', '{"revision":null}'],
    ['{"Revision":5}', '{"other":5,"revision":4}', '{"revision":2}', '{"revision":999}'],
    ['{"revision":-1}', '{"revision":3}', '{"revision":1e30}', '{"revision":5.0}'],
    ['{"revision":5e0}', '{"revision":true}', '"x"', "{}x", ' {"revision":4} '],
  ].flat();
  const ask = (body: string, fields: Record<string, string>): Ask => ({
    name: `hashkv ${body} ${JSON.stringify(fields)}`,
    path: "/members/hashkv",
    body: Buffer.from(body),
    fields,
  });
  return [
    ...bodies.map((body) => ask(body, {})),
    ask("{}", { "X-Etcd-Cluster-ID": hex(clusterId) }),
    ask("{}", { "X-Etcd-Cluster-ID": "1" }),
  ];
}

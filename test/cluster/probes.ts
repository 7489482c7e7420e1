/** What a member says that is cut off from the others: every kind of request, each answer as a text. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Cluster, Election, KV, Lease, Lock, Maintenance, Watch } from "../lib/api.ts";
import { pathOf } from "../lib/grpc.ts";
import { kindOf } from "./load.ts";
import type { Seat } from "./seat.ts";

/** Longer than any wait of a member. */
const CALL_MS = 9_000;
const STREAM_MS = 8_000;
const CLOCKS_APART_MS = 500;

export const PROBE_LEASE = 0x7ea5en;
const key = Buffer.from("probe");
const HAS_LEADER = { metadata: { hasleader: "true" } };

type Probe = (seat: Seat) => Promise<string>;

/** A unary call; of an answer only what does not differ from cluster to cluster is told. */
function unary<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { input: I; output: O },
  request: MessageInitShape<I>,
  options: {
    readonly tell?: (answer: MessageShape<O>) => string;
    readonly metadata?: Record<string, string>;
  } = {},
): Probe {
  return async (seat) => {
    const bytes = toBinary(method.input, create(method.input, request));
    const { metadata = {} } = options;
    const deadline = Date.now() + CALL_MS;
    const settings = { deadline, metadata };
    const { code, text, body } = await seat.client.unary(pathOf(method), bytes, settings);
    // A server whose clock is first resets the stream.
    if (code === 1 && Date.now() >= deadline - CLOCKS_APART_MS) return "4 deadline exceeded";
    if (code !== 0) return kindOf({ code, text });
    return `ok ${options.tell?.(fromBinary(method.output, body)) ?? ""}`.trim();
  };
}

/** A stream: whether it is answered, and how it ends within the time. */
function stream<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { input: I; output: O },
  request: MessageInitShape<I>,
  options: {
    readonly tell: (answer: MessageShape<O>) => string;
    readonly metadata?: Record<string, string>;
  },
): Probe {
  return (seat) =>
    new Promise((resolve) => {
      const heard = new Set<string>();
      const { metadata = {} } = options;
      const done = (how: string) => {
        clearTimeout(timer);
        resolve([...heard, how].join(", "));
      };
      const call = seat.client.duplex(
        pathOf(method),
        (message) => heard.add(options.tell(fromBinary(method.output, message))),
        { metadata, end: (code, text) => done(`ended ${kindOf({ code, text })}`) },
      );
      const timer = setTimeout(() => {
        done("still open");
        call.cancel();
      }, STREAM_MS);
      call.send(toBinary(method.input, create(method.input, request)));
    });
}

function page(path: string): Probe {
  return async (seat) => {
    const signal = AbortSignal.timeout(CALL_MS);
    const answer = await fetch(`http://${seat.endpoint}${path}`, { signal });
    // Go's maps are walked in no order.
    const lines = (await answer.text()).trim().split("\n").toSorted();
    return `${answer.status} ${lines.join("\n")}`;
  };
}

const watch = {
  requestUnion: { case: "createRequest", value: { key } },
} as const;
const tellWatch = ({
  created,
  canceled,
  cancelReason,
}: {
  created: boolean;
  canceled: boolean;
  cancelReason: string;
}) => `created ${created} canceled ${canceled} ${cancelReason}`;

export const PROBES: Readonly<Record<string, Probe>> = {
  "linearizable range": unary(KV.method.range, { key }),
  "serializable range": unary(
    KV.method.range,
    { key, serializable: true },
    { tell: ({ kvs }) => `${kvs.length}` },
  ),
  "serializable range with hasleader": unary(
    KV.method.range,
    { key, serializable: true },
    HAS_LEADER,
  ),
  put: unary(KV.method.put, { key, value: key }),
  "put with hasleader": unary(KV.method.put, { key, value: key }, HAS_LEADER),
  delete: unary(KV.method.deleteRange, { key }),
  "transaction that reads": unary(KV.method.txn, {
    success: [{ request: { case: "requestRange", value: { key } } }],
  }),
  "transaction that writes": unary(KV.method.txn, {
    success: [{ request: { case: "requestPut", value: { key, value: key } } }],
  }),
  compact: unary(KV.method.compact, { revision: 2n }),
  "lease grant": unary(Lease.method.leaseGrant, { TTL: 5n }),
  "lease revoke": unary(Lease.method.leaseRevoke, { ID: PROBE_LEASE }),
  "lease time to live": unary(Lease.method.leaseTimeToLive, { ID: PROBE_LEASE, keys: true }),
  leases: unary(Lease.method.leaseLeases, {}),
  "lease keep-alive": stream(
    Lease.method.leaseKeepAlive,
    { ID: PROBE_LEASE },
    { tell: ({ TTL }) => `ttl ${TTL}` },
  ),
  "lease keep-alive with hasleader": stream(
    Lease.method.leaseKeepAlive,
    { ID: PROBE_LEASE },
    { tell: ({ TTL }) => `ttl ${TTL}`, ...HAS_LEADER },
  ),
  watch: stream(Watch.method.watch, watch, { tell: tellWatch }),
  "watch with hasleader": stream(Watch.method.watch, watch, { tell: tellWatch, ...HAS_LEADER }),
  "member list": unary(Cluster.method.memberList, { linearizable: true }),
  "member list, not linearizable": unary(
    Cluster.method.memberList,
    {},
    { tell: ({ members }) => `${members.length} members` },
  ),
  "member add": unary(Cluster.method.memberAdd, { peerURLs: ["http://127.0.0.1:1"] }),
  "member remove": unary(Cluster.method.memberRemove, { ID: 0x1234n }),
  "member promote": unary(Cluster.method.memberPromote, { ID: 0x1234n }),
  "member update": unary(Cluster.method.memberUpdate, {
    ID: 0x1234n,
    peerURLs: ["http://127.0.0.1:1"],
  }),
  status: unary(
    Maintenance.method.status,
    {},
    { tell: ({ leader, errors }) => `leader ${leader !== 0n} errors ${errors.join("|")}` },
  ),
  "alarm list": unary(Maintenance.method.alarm, {}),
  "alarm raise": unary(Maintenance.method.alarm, { action: 1, alarm: 1 }),
  hash: unary(Maintenance.method.hash, {}),
  "hash of keys": unary(Maintenance.method.hashKV, {}),
  "move leader": unary(Maintenance.method.moveLeader, { targetID: 0x1234n }),
  "downgrade validate": unary(Maintenance.method.downgrade, { action: 0, version: "3.6.0" }),
  defragment: unary(Maintenance.method.defragment, {}),
  lock: unary(Lock.method.lock, { name: key, lease: PROBE_LEASE }),
  leader: unary(Election.method.leader, { name: key }),
  "/health": page("/health"),
  "/health, serializable": page("/health?serializable=true"),
  "/livez": page("/livez"),
  "/readyz": page("/readyz?verbose"),
};

/** Everything at once, as nothing may have to wait for anything else. */
export async function probe(seat: Seat): Promise<Map<string, string>> {
  const names = Object.keys(PROBES);
  const answers = await Promise.all(
    names.map((name) => PROBES[name]!(seat).catch((error: Error) => `broken: ${error.message}`)),
  );
  return new Map(names.map((name, i) => [name, answers[i]!]));
}

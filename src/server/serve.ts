import { idToHex } from "../cluster/index.ts";
import { MethodStats, type ServerCall } from "../grpc/index.ts";
import { callType, GrpcServer, Http2Exchange, Web } from "../http/index.ts";
import type { Member } from "../member/index.ts";
import { type ChangeList, WatchHub } from "../mvcc/index.ts";
import { LoopMeter, type Logger } from "../observe/index.ts";
import { fail } from "../proto/index.ts";
import { type Limits, METHODS, Pipeline, Service, WatchService } from "../rpc/index.ts";
import { bear } from "./birth.ts";
import { type Booted, boot } from "./boot.ts";
import { type Config, GRPC_OVERHEAD_BYTES } from "./config.ts";
import { cgroupLimitBytes, MemoryGauge } from "./memory.ts";
import { ClientPorts } from "./client-ports.ts";
import { Links } from "./links.ts";
import { FlagError } from "./flags.ts";
import { peerTlsOf } from "./self-signed-peer.ts";
import { urlFields, versionFields } from "./start-line.ts";
import { newWebs } from "./web.ts";

/** How often watch streams are looked at for progress notices that are due. */
const WATCH_TICK_MS = 100;

/** What a watch may come to need: it counts as heavy, since it stays. */
const WATCH_BYTES = 128 * 1024;

/** When the meter of the event loop begins. */
const LOOP_METER_MS = 250;

/** How long open calls may go on when the server stops. */
const DRAIN_MS = 500;

export interface Running {
  /** Resolves when clients are served, or when the member has stopped before. */
  readonly ready: Promise<void>;
  /** Resolves when the member is one no more, and has to stop. */
  readonly removed: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Joins the parts to a serving member: the only place that knows them all. Resolves when the
 * member goes; before clients are served it may wait long, for the others of its cluster.
 */
export async function serve(
  settings: Config,
  logger: Logger,
  onFatal: (error: unknown) => void,
): Promise<Running> {
  const config = { ...settings, peerTls: peerTlsOf(settings, logger) };
  // The state tells of revisions, and replies are flushed, before the servers exist.
  let onRevision = (_changes: ChangeList): void => {};
  let onRestored = (): void => {};
  let flush = (): void => {};
  const memory = newMemoryGauge(config, logger);
  const links = new Links(config, logger);
  await links.listen();
  const booted = await boot({
    config: { ...config, pageCacheBytes: memory.cacheBytes(config.pageCacheBytes) },
    logger,
    bear: () => bear(config, logger, () => links.tellUnborn()),
    onRevision: (changes) => onRevision(changes),
    onRestored: () => onRestored(),
    flush: () => flush(),
    connect: links.connect,
    onRemoved: links.remove,
    onFatal,
  });
  const { member } = booted;
  const hub = new WatchHub(booted.store, () => member.runSoon(() => hub.catchUp()));
  onRevision = (changes) => hub.publish(changes);
  onRestored = () => hub.restored(booted.store);
  const watches = newWatches(hub, { member, memory, config });
  member.every(WATCH_TICK_MS, () => watches.tick(member.now()));
  const limits = limitsOf(config);
  const service = new Service({ member, watches, limits, memory, lines: logger, serviceNames });
  const pipeline = new Pipeline(service);
  member.every(config.electionMs, () => pipeline.lookForLeader());
  const stats = methodStats(config);
  const onCall = (call: ServerCall) => pipeline.serve(call);
  const grpc = new GrpcServer({
    ...grpcOptions(config),
    stats,
    onCall,
    onPlain: (call) => web.serve(new Http2Exchange(call)),
    onError: onFatal,
  });
  flush = () => grpc.flushAll();
  const loop = new LoopMeter();
  const { requests } = pipeline;
  const network = links.meters;
  const sources = { member, network, grpc, hub, stats, requests, config, loop, memory };
  const webs = newWebs({ sources, onCall, logger, onError: onFatal });
  const web = new Web(webs.client);
  const ports = new ClientPorts({ grpc, web, metricsWeb: webs.metrics, logger, onError: onFatal });
  await ports.listenForMetrics(config.listenMetricsUrls);
  return {
    ready: beReady(booted, config, { ports, links, loop, logger }),
    removed: links.removed,
    stop: async () => {
      // While all is served still: nobody waits for an election. Watches end with connections.
      if (!member.isStopped) await member.handOver();
      loop.stop();
      ports.stop();
      links.stop();
      service.callers.end(fail("stopped"));
      await grpc.drain(DRAIN_MS);
      ports.close();
      await member.stop();
      links.close();
    },
  };
}

/** Nobody is served before the log is applied and the cluster knows this member. */
async function beReady(
  booted: Booted,
  config: Config,
  parts: { ports: ClientPorts; links: Links; loop: LoopMeter; logger: Logger },
): Promise<void> {
  const { ports, links, loop, logger } = parts;
  await checkInitially(booted, config, logger);
  logger.info("starting etcd server", versionFields(booted.member));
  const started = start(booted, config);
  const own = { "local-member-id": idToHex(booted.member.ids.memberId) };
  logger.info("now serving peer/client/metrics", { ...own, ...urlFields(config) });
  links.serve();
  await started;
  if (booted.member.isStopped) return;
  await ports.listenForClients(config);
  loop.start(LOOP_METER_MS);
  logger.info("ready to serve client requests");
}

/** A member that has something else than the others must not serve it. A new one has nothing. */
async function checkInitially(
  { member, isNew }: Booted,
  { features }: Config,
  logger: Logger,
): Promise<void> {
  if (isNew || !features.initialCorruptCheck) return;
  const reason = await member.checkInitially();
  if (reason === undefined) return;
  logger.error("checkInitialHashKV failed", { error: reason });
  throw new FlagError(reason, "start");
}

function newWatches(
  hub: WatchHub,
  parts: { readonly member: Member; readonly memory: MemoryGauge; readonly config: Config },
): WatchService {
  const { member, memory, config } = parts;
  return new WatchService({
    hub,
    ...member.ids,
    raftTerm: () => member.state.appliedTerm,
    permit: () => (memory.admits(WATCH_BYTES) ? undefined : fail("tooManyRequests")),
    random: Math.random,
    progressIntervalMs: config.watchProgressMs,
    fragmentBytes: config.requestBytesMax + GRPC_OVERHEAD_BYTES,
  });
}

/** A limit that was asked for does not lift the one of the machine. */
function newMemoryGauge({ memoryLimitBytes }: Config, logger: Logger): MemoryGauge {
  return new MemoryGauge({
    limitBytes: Math.min(memoryLimitBytes || Number.POSITIVE_INFINITY, cgroupLimitBytes()),
    onScarce: (fields) => logger.warn("memory is scarce; refusing requests", fields),
  });
}

function limitsOf({ txnOpsMax, requestBytesMax, quotaBytes, features }: Config): Limits {
  return {
    txnOpsMax,
    requestBytesMax,
    quotaBytes,
    stopsOnDefragment: features.stopGrpcServiceOnDefrag,
  };
}

function grpcOptions({ requestBytesMax, concurrentStreamsMax, keepAlive }: Config) {
  return {
    methods: new Set(METHODS.keys()),
    messageBytesMax: requestBytesMax + GRPC_OVERHEAD_BYTES,
    streamsMax: concurrentStreamsMax,
    keepalive: { ...keepAlive, withoutStreams: true },
    pingPolicy: { intervalMsMin: keepAlive.minMs, withoutStreams: false },
  };
}

/** Tells the cluster of this member, and waits until both know of each other. */
async function start({ member }: Booted, config: Config): Promise<void> {
  member.start();
  await member.publish({ name: config.name, clientUrls: config.advertiseClientUrls });
  await member.versionKnown();
}

const serviceNames = [...new Set([...METHODS.keys()].map((path) => path.split("/")[1]!))].sort();

/** Where the calls of each method are counted, with their times if that is asked for. */
function methodStats({ metrics }: Config): Map<string, MethodStats> {
  const clock = metrics === "extensive" ? () => performance.now() : undefined;
  return new Map(
    [...METHODS.keys()].map((path) => [path, new MethodStats(path, callType(path), clock)]),
  );
}

import { GoTextError, parseDurationMs, parseInt64 } from "../cli/index.ts";
import type { TlsSettings } from "../net/index.ts";
import { checkSettings } from "./config-checks.ts";
import { type Features, type GateName, parseFeatures } from "./features.ts";
import { FLAGS, type FlagName } from "./flag-table.ts";
import { FlagError, type ParsedFlags, type Say } from "./flags.ts";
import { Settings } from "./settings.ts";

/** Room for gRPC framing and metadata above the largest request (etcd: `grpcOverheadBytes`). */
export const GRPC_OVERHEAD_BYTES = 512 * 1024;

/** Everything a member is started with, checked. Times in milliseconds, sizes in bytes. */
export interface Config {
  readonly name: string;
  readonly dataDir: string;
  readonly walDir: string;
  readonly tickMs: number;
  readonly electionMs: number;
  readonly electionTickAdvance: boolean;
  readonly preVote: boolean;
  readonly listenClientUrls: readonly URL[];
  /** For HTTP alone; empty when the client URLs serve everything. */
  readonly listenClientHttpUrls: readonly URL[];
  readonly listenPeerUrls: readonly URL[];
  readonly listenMetricsUrls: readonly URL[];
  readonly peerTls: TlsSettings;
  /** A member without a certificate makes one, for so many years. */
  readonly peerAutoTls: { readonly years: number } | undefined;
  /** How long reading from a peer, and writing to one, may make no progress. */
  readonly peerTimes: { readonly readTimeoutMs: number; readonly writeTimeoutMs: number };
  readonly advertiseClientUrls: readonly string[];
  readonly advertisePeerUrls: readonly string[];
  /** Members to begin with, for a directory that is new. */
  readonly initialCluster: string;
  readonly initialClusterToken: string;
  readonly initialClusterState: "new" | "existing";
  /** Where the members of a new cluster find each other, instead of `initialCluster`. */
  readonly discovery: Discovery | undefined;
  /** The DNS domain that names the members, instead of `initialCluster`; empty for none. */
  readonly discoverySrv: { readonly domain: string; readonly name: string };
  readonly forceNewCluster: boolean;
  readonly checksReconfiguration: boolean;
  readonly learnersMax: number;
  readonly downgradeCheckMs: number;
  readonly snapshotEntries: number;
  readonly snapshotCatchUpEntries: number;
  readonly snapshotsMax: number;
  readonly walsMax: number;
  readonly txnOpsMax: number;
  readonly requestBytesMax: number;
  readonly concurrentStreamsMax: number;
  readonly batchIntervalMs: number;
  readonly batchOperationsMax: number;
  readonly pageCacheBytes: number;
  /** As it was given: 0 stands for the default, less for none. */
  readonly quotaBytes: number;
  readonly autoDisarmNoSpace: boolean;
  readonly memoryLimitBytes: number;
  readonly bootstrapDefragThresholdMb: number;
  readonly keepAlive: { minMs: number; intervalMs: number; timeoutMs: number };
  readonly watchProgressMs: number;
  readonly compactionBatch: number;
  readonly compactionPauseMs: number;
  readonly autoCompactionMode: "periodic" | "revision";
  /** Milliseconds or revisions, after the mode; 0 is off. */
  readonly autoCompactionRetention: number;
  readonly corruptCheckMs: number;
  readonly compactHashCheckMs: number;
  readonly warningApplyMs: number;
  readonly warningUnaryMs: number;
  readonly hasGateway: boolean;
  readonly hasPprof: boolean;
  readonly metrics: "basic" | "extensive";
  /** Origins that browsers may come from; `*` and an empty list stand for all. */
  readonly cors: readonly string[];
  /** Hosts that HTTP requests may ask for; `*` and an empty list stand for all. */
  readonly hostWhitelist: readonly string[];
  readonly featureGates: Features;
  readonly features: {
    readonly compactHashCheck: boolean;
    readonly fastLeaseKeepAlive: boolean;
    readonly initialCorruptCheck: boolean;
    readonly leaseCheckpoint: boolean;
    readonly leaseCheckpointPersist: boolean;
    readonly priorityRequest: boolean;
    readonly stopGrpcServiceOnDefrag: boolean;
  };
}

/** A cluster that serves members of clusters to be. */
export interface Discovery {
  readonly token: string;
  readonly endpoints: readonly string[];
  readonly dialTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** `name:password`, or empty. */
  readonly user: string;
  readonly password: string;
  readonly keepAliveMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly secure: DiscoverySecurity;
}

/** How connections to it are secured. An empty text is no file. */
export interface DiscoverySecurity {
  /** In clear text, if nothing below and no endpoint asks for TLS. */
  readonly isPlain: boolean;
  /** TLS with whoever answers. */
  readonly unverified: boolean;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
}

const BATCH_INTERVAL_MS_DEFAULT = 100;
const BATCH_OPERATIONS_DEFAULT = 10_000;
const WARNING_UNARY_MS_DEFAULT = 300;

const NAME_DEFAULT = FLAGS.name.default;

export interface ConfigOptions {
  readonly say?: Say;
  /** The address by which others reach this machine, if it can be told. */
  readonly defaultHost?: () => string | undefined;
}

/** What the settings amount to. Throws FlagError, with etcd's texts where it has them. */
export function makeConfig(
  flags: ParsedFlags,
  { say = () => {}, defaultHost = () => undefined }: ConfigOptions = {},
): Config {
  const settings = new Settings(flags);
  const featureGates = parseFeatures(settings.text("feature-gates"));
  const peerTimes = {
    readTimeoutMs: peerTimeoutMs(settings, "raft-read-timeout", say),
    writeTimeoutMs: peerTimeoutMs(settings, "raft-write-timeout", say),
  };
  checkSettings(settings, featureGates, say);
  const name = settings.text("name");
  const tell = { say, defaultHost };
  const advertisePeerUrls = advertised(settings, PEER_URLS, tell);
  return {
    name,
    dataDir: settings.text("data-dir") || `${name}.etcd`,
    walDir: settings.text("wal-dir"),
    tickMs: settings.number("heartbeat-interval"),
    electionMs: settings.number("election-timeout"),
    electionTickAdvance: settings.isOn("initial-election-tick-advance"),
    preVote: settings.isOn("pre-vote"),
    listenClientUrls: listenUrls(settings, "listen-client-urls"),
    listenClientHttpUrls: listenUrls(settings, "listen-client-http-urls"),
    listenPeerUrls: listenUrls(settings, "listen-peer-urls"),
    listenMetricsUrls: listenUrls(settings, "listen-metrics-urls"),
    peerTls: peerTls(settings),
    peerAutoTls: settings.isOn("peer-auto-tls")
      ? { years: settings.number("self-signed-cert-validity") }
      : undefined,
    peerTimes,
    advertiseClientUrls: advertised(settings, CLIENT_URLS, tell),
    advertisePeerUrls,
    initialCluster: initialCluster(settings, name, advertisePeerUrls),
    initialClusterToken: settings.text("initial-cluster-token"),
    initialClusterState: settings.text("initial-cluster-state") === "existing" ? "existing" : "new",
    discovery: discovery(settings),
    discoverySrv: {
      domain: settings.text("discovery-srv"),
      name: settings.text("discovery-srv-name"),
    },
    forceNewCluster: settings.isOn("force-new-cluster"),
    checksReconfiguration: settings.isOn("strict-reconfig-check"),
    learnersMax: settings.number("max-learners"),
    downgradeCheckMs: settings.ms("downgrade-check-time"),
    ...limits(settings),
    ...services(settings),
    featureGates,
    features: namedFeatures(featureGates),
  };
}

function peerTls(settings: Settings): TlsSettings {
  const most = settings.text("tls-max-version");
  return {
    certFile: settings.text("peer-cert-file"),
    keyFile: settings.text("peer-key-file"),
    clientCertFile: settings.text("peer-client-cert-file"),
    clientKeyFile: settings.text("peer-client-key-file"),
    trustedCaFile: settings.text("peer-trusted-ca-file"),
    clientCertAuth: settings.isOn("peer-client-cert-auth"),
    crlFile: settings.text("peer-crl-file"),
    allowedNames: settings.list("peer-cert-allowed-cn").filter((name) => name !== ""),
    allowedHosts: settings.list("peer-cert-allowed-hostname").filter((name) => name !== ""),
    trustsAnybody: false,
    skipsClientHosts: settings.isOn("peer-skip-client-san-verification"),
    cipherSuites: cipherSuites(settings),
    minVersion: settings.text("tls-min-version") === "TLS1.3" ? "TLSv1.3" : "TLSv1.2",
    maxVersion: most === "" ? undefined : most === "TLS1.3" ? "TLSv1.3" : "TLSv1.2",
  };
}

/** Others count on a sign of life within the shortest time that there is. */
function peerTimeoutMs(
  settings: Settings,
  name: "raft-read-timeout" | "raft-write-timeout",
  say: Say,
): number {
  const least = FLAGS[name].default;
  const [ms, msMin] = [settings.ms(name), parseDurationMs(least)];
  if (ms >= msMin) return ms;
  say({ level: "info", message: `${name} increased to minimum value: ${least}` });
  return msMin;
}

/** In the order that they were given in: the first that is unknown is told. */
function cipherSuites(settings: Settings): string[] {
  return settings.isSet("cipher-suites") ? settings.text("cipher-suites").split(",") : [];
}

function discovery(settings: Settings): Discovery | undefined {
  const endpoints = settings.list("discovery-endpoints");
  if (endpoints.length === 0) return undefined;
  return {
    token: settings.text("discovery-token"),
    endpoints,
    dialTimeoutMs: settings.ms("discovery-dial-timeout"),
    requestTimeoutMs: settings.ms("discovery-request-timeout"),
    user: settings.text("discovery-user"),
    password: settings.text("discovery-password"),
    keepAliveMs: settings.ms("discovery-keepalive-time"),
    keepAliveTimeoutMs: settings.ms("discovery-keepalive-timeout"),
    secure: {
      isPlain: settings.isOn("discovery-insecure-transport"),
      unverified: settings.isOn("discovery-insecure-skip-tls-verify"),
      certFile: settings.text("discovery-cert"),
      keyFile: settings.text("discovery-key"),
      caFile: settings.text("discovery-cacert"),
    },
  };
}

function limits(settings: Settings) {
  return {
    snapshotEntries: settings.number("snapshot-count"),
    snapshotCatchUpEntries: settings.number("snapshot-catchup-entries"),
    snapshotsMax: settings.number("max-snapshots"),
    walsMax: settings.number("max-wals"),
    txnOpsMax: settings.number("max-txn-ops"),
    requestBytesMax: settings.number("max-request-bytes"),
    concurrentStreamsMax: settings.number("max-concurrent-streams"),
    batchIntervalMs: settings.ms("backend-batch-interval") || BATCH_INTERVAL_MS_DEFAULT,
    batchOperationsMax: settings.number("backend-batch-limit") || BATCH_OPERATIONS_DEFAULT,
    pageCacheBytes: settings.number("backend-cache-bytes"),
    quotaBytes: settings.number("quota-backend-bytes"),
    autoDisarmNoSpace: settings.isOn("auto-disarm-nospace"),
    memoryLimitBytes: settings.number("memory-limit-bytes"),
    bootstrapDefragThresholdMb: settings.number("bootstrap-defrag-threshold-megabytes"),
    compactionBatch: settings.number("compaction-batch-limit"),
    compactionPauseMs: settings.ms("compaction-sleep-interval"),
    ...autoCompaction(settings),
  };
}

function services(settings: Settings) {
  const isDebug = settings.text("log-level").toLowerCase() === "debug";
  return {
    keepAlive: {
      minMs: settings.ms("grpc-keepalive-min-time"),
      intervalMs: settings.ms("grpc-keepalive-interval"),
      timeoutMs: settings.ms("grpc-keepalive-timeout"),
    },
    watchProgressMs: settings.ms("watch-progress-notify-interval"),
    corruptCheckMs: settings.ms("corrupt-check-time"),
    compactHashCheckMs: settings.ms("compact-hash-check-time"),
    warningApplyMs: settings.ms("warning-apply-duration"),
    warningUnaryMs: settings.ms("warning-unary-request-duration") || WARNING_UNARY_MS_DEFAULT,
    hasGateway: settings.isOn("enable-grpc-gateway"),
    hasPprof: settings.isOn("enable-pprof") || isDebug,
    metrics: settings.text("metrics") === "extensive" ? ("extensive" as const) : ("basic" as const),
    cors: settings.text("cors") === "*" ? ["*"] : settings.urls("cors"),
    hostWhitelist: settings.list("host-whitelist"),
  };
}

function namedFeatures(gates: Features): Config["features"] {
  const isOpen = (name: GateName) => gates.get(name)!;
  return {
    compactHashCheck: isOpen("CompactHashCheck"),
    fastLeaseKeepAlive: isOpen("FastLeaseKeepAlive"),
    initialCorruptCheck: isOpen("InitialCorruptCheck"),
    leaseCheckpoint: isOpen("LeaseCheckpoint"),
    leaseCheckpointPersist: isOpen("LeaseCheckpointPersist"),
    priorityRequest: isOpen("PriorityRequest"),
    stopGrpcServiceOnDefrag: isOpen("StopGRPCServiceOnDefrag"),
  };
}

/** A whole number is hours or revisions; a duration is itself, or its nanoseconds as revisions. */
function autoCompaction(settings: Settings) {
  const mode: Config["autoCompactionMode"] =
    settings.text("auto-compaction-mode") === "revision" ? "revision" : "periodic";
  const text = settings.text("auto-compaction-retention") || "0";
  return { autoCompactionMode: mode, autoCompactionRetention: retention(mode, text) };
}

const HOUR_MS = 3_600_000;
const NS_PER_MS = 1e6;

function retention(mode: Config["autoCompactionMode"], text: string): number {
  const count = wholeNumber(text);
  if (count !== undefined) return mode === "revision" ? count : count * HOUR_MS;
  try {
    const ms = parseDurationMs(text);
    return mode === "revision" ? ms * NS_PER_MS : ms;
  } catch (error) {
    if (!(error instanceof GoTextError)) throw error;
    throw new FlagError(`error parsing CompactionRetention: ${error.message}`, "start");
  }
}

function wholeNumber(text: string): number | undefined {
  try {
    const value = Number(parseInt64(text, 10));
    return value >= 0 ? value : undefined;
  } catch {
    return undefined;
  }
}

const PEER_URLS = { listen: "listen-peer-urls", advertise: "initial-advertise-peer-urls" } as const;
const CLIENT_URLS = { listen: "listen-client-urls", advertise: "advertise-client-urls" } as const;

/** A member that listens on all addresses must not tell others that it is on theirs, localhost. */
function advertised(
  settings: Settings,
  { listen, advertise }: typeof PEER_URLS | typeof CLIENT_URLS,
  { say, defaultHost }: Required<ConfigOptions>,
): string[] {
  const urls = settings.urls(advertise);
  const port = /^https?:\/\/0\.0\.0\.0:(\d+)$/.exec(settings.urls(listen)[0]!)?.[1];
  if (port === undefined || urls.join() !== FLAGS[advertise].default) return urls;
  const host = defaultHost();
  if (host === undefined) return urls;
  say({ level: "info", message: "detected default host for advertise", fields: { host } });
  return [`http://${host}:${port}`];
}

/** Without a word of it, the member alone: under its own name, or under the default one. */
function initialCluster(settings: Settings, name: string, peerUrls: readonly string[]): string {
  const isFound = settings.list("discovery-endpoints").length > 0;
  if (isFound || settings.text("discovery-srv") !== "") return "";
  if (settings.isSet("initial-cluster")) return settings.text("initial-cluster");
  if (name === NAME_DEFAULT) return `${name}=${FLAGS["initial-advertise-peer-urls"].default}`;
  return peerUrls.map((url) => `${name}=${url}`).join(",");
}

function listenUrls(settings: Settings, name: FlagName): URL[] {
  // Go reads `unix:/path` as it reads `unix:///path`.
  return settings.urls(name).map((url) => new URL(url.replace(/^(unixs?):\/(?!\/)/i, "$1:///")));
}

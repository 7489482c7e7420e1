/**
 * Every flag of etcd 3.7, and quord's own. The kinds are Go's types, because error texts name them
 * and the configuration file is as strict as they are.
 */
export type Kind =
  | "string"
  | "bool"
  | "uint"
  | "uint64"
  | "uint32"
  | "int"
  | "int64"
  | "duration"
  /** URLs with commas between them; where `*` is allowed it stands for all. */
  | "urls"
  | "urls or *"
  /** Texts with commas between them. */
  | "strings"
  | "gates"
  | "choice"
  | "choices"
  /** Was a flag once. Takes anything and does nothing. */
  | "ignored";

/** What becomes of a flag whose work is not done yet, when it is set to more than its default. */
type Later = "refuse" | "warn" | "ignore";

export interface Flag {
  readonly kind: Kind;
  readonly default: string;
  readonly help: string;
  readonly valid?: readonly string[];
  readonly later?: Later;
  /** What etcd says when the flag is set at all. */
  readonly deprecated?: string;
}

const flag = (kind: Kind, value: string | number | boolean, help: string): Flag => ({
  kind,
  default: String(value),
  help,
});

/** Ignoring it would leave the member open, empty or alone, against what was asked. */
const refused = (kind: Kind, value: string | number | boolean, help: string): Flag => ({
  ...flag(kind, value, help),
  later: "refuse",
});

/** Ignoring it is safe, but the operator should know. */
const warned = (kind: Kind, value: string | number | boolean, help: string): Flag => ({
  ...flag(kind, value, help),
  later: "warn",
});

/** Without meaning for a member that is alone, or for this program. */
const idle = (kind: Kind, value: string | number | boolean, help: string): Flag => ({
  ...flag(kind, value, help),
  later: "ignore",
});

const ignored = flag("ignored", "", "");

const ROTATION_DEFAULT =
  '{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}';

export const FLAGS = {
  // Member
  name: flag("string", "default", "human-readable name of this member"),
  "data-dir": flag("string", "", "where the data lives (${name}.etcd)"),
  "wal-dir": flag("string", "", "a directory of its own for the log"),
  "snapshot-count": flag("uint64", 10_000, "applied entries between two raft snapshots"),
  "snapshot-catchup-entries": flag("uint64", 5000, "entries kept in memory behind a snapshot"),
  "heartbeat-interval": flag("uint", 100, "milliseconds between two ticks"),
  "election-timeout": flag("uint", 1000, "milliseconds without a leader before an election"),
  "initial-election-tick-advance": flag("bool", true, "begin the first election early"),
  "listen-peer-urls": flag("urls", "http://localhost:2380", "URLs to listen on for members"),
  "listen-client-urls": flag("urls", "http://localhost:2379", "URLs to listen on for clients"),
  "listen-client-http-urls": flag("urls", "", "URLs for HTTP alone; the others then serve gRPC"),
  "max-snapshots": {
    ...flag("uint", 5, "snapshot files to keep, 0 for all"),
    deprecated: "--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8.",
  },
  "max-wals": flag("uint", 5, "log files to keep, 0 for all"),
  "memory-mlock": warned("bool", false, "keep the page file in memory"),
  "quota-backend-bytes": flag("int64", 0, "size of the page file at which writing ends (2 GiB)"),
  "backend-bbolt-freelist-type": idle("string", "map", "array or map"),
  "backend-batch-interval": flag("duration", "0s", "longest wait for a page commit (100ms)"),
  "backend-batch-limit": flag("int", 0, "operations before a page commit (10000)"),
  "max-txn-ops": flag("uint", 128, "operations in one transaction"),
  "max-request-bytes": flag("uint", 1_572_864, "size of one request"),
  "max-concurrent-streams": flag("uint32", 4_294_967_295, "streams of one client connection"),
  "grpc-keepalive-min-time": flag("duration", "5s", "shortest interval between a client's pings"),
  "grpc-keepalive-interval": flag("duration", "2h", "interval of pings to a silent client"),
  "grpc-keepalive-timeout": flag("duration", "20s", "wait for the answer to such a ping"),
  "socket-reuse-port": warned("bool", false, "let several processes share a port"),
  "socket-reuse-address": idle("bool", false, "bind to an address in TIME_WAIT (always so)"),
  "enable-grpc-gateway": flag("bool", true, "serve the JSON API under /v3/"),
  "raft-read-timeout": flag("duration", "5s", "read timeout between members"),
  "raft-write-timeout": flag("duration", "5s", "write timeout between members"),
  "feature-gates": flag("gates", "", "name=true|false pairs"),

  // Clustering
  "initial-advertise-peer-urls": flag("urls", "http://localhost:2380", "peer URLs to tell others"),
  "advertise-client-urls": flag("urls", "http://localhost:2379", "client URLs to tell others"),
  "initial-cluster": flag("string", "", "members to begin with: name=url,name=url"),
  "initial-cluster-state": {
    ...flag("choice", "new", "new or existing"),
    valid: ["new", "existing"],
  },
  "initial-cluster-token": flag("string", "etcd-cluster", "tells equal clusters apart"),
  "discovery-token": flag("string", "", "token of the discovery service"),
  "discovery-endpoints": flag("strings", "", "endpoints of the discovery service"),
  "discovery-dial-timeout": flag("duration", "2s", "dial timeout of discovery"),
  "discovery-request-timeout": flag("duration", "5s", "request timeout of discovery"),
  "discovery-keepalive-time": flag("duration", "2s", "ping interval of discovery"),
  "discovery-keepalive-timeout": flag("duration", "6s", "ping timeout of discovery"),
  "discovery-insecure-transport": flag("bool", true, "discovery without TLS"),
  "discovery-insecure-skip-tls-verify": flag("bool", false, "discovery without checks"),
  "discovery-cert": flag("string", "", "certificate for discovery"),
  "discovery-key": flag("string", "", "key for discovery"),
  "discovery-cacert": flag("string", "", "trusted certificates for discovery"),
  "discovery-user": flag("string", "", "user for discovery"),
  "discovery-password": flag("string", "", "password for discovery"),
  "discovery-fallback": {
    ...idle("choice", "exit", "exit, when discovery fails"),
    valid: ["exit", "proxy"],
  },
  "discovery-srv": flag("string", "", "DNS domain that names the members"),
  "discovery-srv-name": flag("string", "", "service name for it"),
  "strict-reconfig-check": flag("bool", true, "refuse changes that would cost the quorum"),
  "pre-vote": flag("bool", true, "ask before an election"),
  "auto-compaction-mode": flag("string", "periodic", "periodic or revision"),
  "auto-compaction-retention": flag("string", "0", "hours, a duration or revisions to keep"),
  "v2-deprecation": {
    ...idle("choices", "write-only", "has no effect"),
    valid: ["write-only", "write-only-skip-check", "write-only-drop-data", "gone"],
    deprecated:
      "--v2-deprecation is deprecated and scheduled for removal in v3.8. " +
      "The default value is enforced, ignoring user input.",
  },

  // Security
  "cert-file": refused("string", "", "certificate for clients"),
  "key-file": refused("string", "", "its key"),
  "client-cert-file": refused("string", "", "certificate of the member as a client"),
  "client-key-file": refused("string", "", "its key"),
  "client-cert-auth": refused("bool", false, "demand a certificate of clients"),
  "client-crl-file": refused("string", "", "revoked certificates of clients"),
  "client-cert-allowed-hostname": refused("strings", "", "names allowed in them"),
  "trusted-ca-file": refused("string", "", "who signs certificates of clients"),
  "auto-tls": refused("bool", false, "make a certificate for clients"),
  "peer-cert-file": flag("string", "", "certificate for members"),
  "peer-key-file": flag("string", "", "its key"),
  "peer-client-cert-file": flag("string", "", "certificate as a client of members"),
  "peer-client-key-file": flag("string", "", "its key"),
  "peer-client-cert-auth": flag("bool", false, "demand a certificate of members"),
  "peer-trusted-ca-file": flag("string", "", "who signs certificates of members"),
  "peer-cert-allowed-cn": flag("strings", "", "names allowed in them"),
  "peer-cert-allowed-hostname": flag("strings", "", "names of hosts allowed in them"),
  "peer-auto-tls": flag("bool", false, "make a certificate for members"),
  "self-signed-cert-validity": flag("uint", 1, "years that made certificates last"),
  "peer-crl-file": flag("string", "", "revoked certificates of members"),
  "peer-skip-client-san-verification": flag("bool", false, "do not check names of members"),
  "cipher-suites": flag("strings", "", "ciphers of TLS 1.2 between members, by Go's names"),
  "tls-min-version": flag("string", "TLS1.2", "TLS1.2 or TLS1.3"),
  "tls-max-version": flag("string", "", "TLS1.2 or TLS1.3"),
  cors: flag("urls or *", "*", "origins that browsers may come from"),
  "host-whitelist": flag("strings", "*", "names of hosts that HTTP requests may ask for"),
  "auth-token": refused("string", "simple", "simple or jwt with options"),
  "bcrypt-cost": idle("uint", 10, "cost of a password check"),
  "auth-token-ttl": idle("uint", 300, "seconds that a token lasts"),

  // Observation
  "enable-pprof": flag("bool", false, "serve /debug/pprof/"),
  metrics: flag("string", "basic", "basic or extensive"),
  "listen-metrics-urls": flag("urls", "", "URLs for metrics and health alone"),
  logger: flag("string", "zap", "zap"),
  "log-outputs": flag("strings", "default", "default, stderr, stdout, systemd/journal or files"),
  "log-level": flag("string", "info", "debug, info, warn, error, panic or fatal"),
  "log-format": flag("string", "json", "json or console"),
  "enable-log-rotation": flag("bool", false, "begin a new log file when one is full"),
  "log-rotation-config-json": flag("string", ROTATION_DEFAULT, "when a log file is full"),
  "enable-distributed-tracing": warned("bool", false, "send traces"),
  "distributed-tracing-address": idle("string", "localhost:4317", "where to"),
  "distributed-tracing-service-name": idle("string", "etcd", "under which name"),
  "distributed-tracing-instance-id": idle("string", "", "of which instance"),
  "distributed-tracing-sampling-rate": idle("int", 0, "how many of a million"),
  "warning-apply-duration": flag("duration", "100ms", "log entries that take longer to apply"),
  "warning-unary-request-duration": flag("duration", "300ms", "log requests that take longer"),

  // Features
  "corrupt-check-time": flag("duration", "0s", "interval of comparing members (0s: never)"),
  "compact-hash-check-time": flag("duration", "1m", "interval of comparing compaction hashes"),
  "compaction-batch-limit": flag("int", 1000, "revisions removed in one step of a compaction"),
  "compaction-sleep-interval": flag("duration", "10ms", "pause between two such steps"),
  "watch-progress-notify-interval": flag("duration", "10m", "interval of progress notices"),
  "bootstrap-defrag-threshold-megabytes": flag("uint", 0, "defragment at start to free so much"),
  "max-learners": flag("int", 1, "learners in a cluster"),
  "downgrade-check-time": flag("duration", "5s", "interval of looking for a downgrade"),

  // Unsafe
  "force-new-cluster": flag("bool", false, "make a cluster of one out of this member"),
  "unsafe-no-fsync": warned("bool", false, "do not wait for the disk"),

  // Not etcd's
  "backend-cache-bytes": flag("uint64", 268_435_456, "bound of the page cache (quord's own)"),
  "auto-disarm-nospace": flag("bool", false, "write again when there is space (quord's own)"),
  "memory-limit-bytes": flag("uint64", 0, "shed load above it; 0: the cgroup's (quord's own)"),

  "config-file": flag("string", "", "a YAML or JSON file; all else is then ignored"),
  version: flag("bool", false, "print the version and exit"),

  "cluster-active-size": ignored,
  "cluster-remove-delay": ignored,
  "cluster-sync-interval": ignored,
  config: ignored,
  force: ignored,
  "max-result-buffer": ignored,
  "max-retry-attempts": ignored,
  "peer-heartbeat-interval": ignored,
  "peer-election-timeout": ignored,
  "retry-interval": ignored,
  snapshot: ignored,
  v: ignored,
  vv: ignored,
  "test.coverprofile": ignored,
  "test.outputdir": ignored,
} as const satisfies Record<string, Flag>;

export type FlagName = keyof typeof FLAGS;

/** What is known of a flag by any name; undefined for names that are no flag. */
export function flagNamed(name: string): Flag | undefined {
  return Object.hasOwn(FLAGS, name) ? FLAGS[name as FlagName] : undefined;
}

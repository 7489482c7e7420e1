/** Settings that etcd and quord must take, or refuse, alike. */
export interface Case {
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A configuration file, `{dir}/etcd.yaml`. */
  readonly file?: string;
  /** Only the end must be equal: the words come from a library of one language. */
  readonly sameEnd?: boolean;
  /** What quord says instead, where it differs on purpose. */
  readonly quord?: string;
}

/** What a member needs to get past the checks, and to start beside others. */
const HERE = [
  ["--name=m", "--data-dir={dir}/data"],
  ["--listen-client-urls={client}", "--advertise-client-urls={client}"],
  ["--listen-peer-urls={peer}", "--initial-advertise-peer-urls={peer}"],
].flat();

const HERE_FILE = `name: m
data-dir: "{dir}/data"
listen-client-urls: "{client}"
advertise-client-urls: "{client}"
listen-peer-urls: "{peer}"
initial-advertise-peer-urls: "{peer}"
initial-cluster: "m={peer}"
`;

const line = (args: string): Case => ({ name: args, args: args.split(" ") });
/** On top of what a member needs. */
const more = (args: string): Case => ({ name: args, args: [...HERE, ...args.split(" ")] });
const withEnv = (env: Record<string, string>, args: readonly string[] = HERE): Case => ({
  name: JSON.stringify(env),
  env,
  args,
});
const inFile = (text: string): Case => ({
  name: `file: ${text.trim().replaceAll("\n", "; ")}`,
  args: ["--config-file={dir}/etcd.yaml"],
  file: text,
});
/** On top of a file that starts a member. */
const moreInFile = (text: string): Case => ({
  ...inFile(HERE_FILE + text),
  name: `file with ${text.trim().replaceAll("\n", "; ")}`,
});
const only = (quord: string, test: Case): Case => ({ ...test, quord });
const end = (test: Case): Case => ({ ...test, sameEnd: true });

const SYNTAX: readonly Case[] = [
  line("--heartbeat-interval=x"),
  line("--heartbeat-interval x"),
  line("-heartbeat-interval=x"),
  line("--heartbeat-interval=-5"),
  line("--heartbeat-interval=99999999999999999999"),
  line("--heartbeat-interval=1_0x"),
  line("--quota-backend-bytes=1.5"),
  line("--quota-backend-bytes=9223372036854775808"),
  line("--max-concurrent-streams=x"),
  line("--max-concurrent-streams=4294967296"),
  line("--pre-vote=maybe"),
  line("--pre-vote false"),
  line("--backend-batch-interval=5"),
  line("--backend-batch-interval=5x"),
  line("--bogus"),
  line("--bogus=1 --help"),
  line("--discovery=x"),
  line("--name"),
  line("---x"),
  line("-=x"),
  line("--=x"),
  line("foo"),
  line("- foo"),
  line("--name=a foo --bogus"),
  line("-- foo"),
  { name: "an empty argument", args: [""] },
  line("--listen-client-urls=foo"),
  line("--listen-client-urls=http://a"),
  line("--listen-client-urls=http://a:1/x"),
  line("--listen-client-urls=ftp://a:1"),
  line("--listen-client-urls=http://a:b"),
  line("--listen-client-urls=http://%zz:1"),
  line("--listen-client-urls=http://127.0.0.1:1,,"),
  line("--listen-metrics-urls=foo"),
  line("--initial-cluster-state=x"),
  line("--v2-deprecation=x"),
  line("--v2-deprecation=write-only,x"),
  line("--discovery-fallback=x"),
  line("--feature-gates=x"),
  line("--feature-gates=x=true"),
  line("--feature-gates=LeaseCheckpoint=maybe"),
  line("--cors=x"),
];

const CHECKS: readonly Case[] = [
  line("--listen-client-urls="),
  line("--listen-client-urls=http://127.0.0.1:1"),
  line("--listen-client-urls=http://foo:1 --advertise-client-urls=http://foo:1"),
  line("--listen-client-urls=http://:1 --advertise-client-urls=http://foo:1"),
  line("--listen-client-http-urls=http://foo:1"),
  line("--listen-metrics-urls=http://foo:1"),
  line("--listen-peer-urls=http://foo:1"),
  line("--initial-advertise-peer-urls=http://:1"),
  line("--advertise-client-urls=http://:1"),
  more("--heartbeat-interval=0"),
  more("--election-timeout=0"),
  more("--heartbeat-interval=0x64 --election-timeout=499"),
  more("--election-timeout=50001"),
  more("--auto-compaction-mode=x"),
  { name: "--auto-compaction-mode=", args: [...HERE, "--auto-compaction-mode="] },
  more("--auto-compaction-retention=x"),
  more("--auto-compaction-retention=-5"),
  more("--auto-compaction-retention=5y"),
  more("--feature-gates=LeaseCheckpointPersist=true"),
  more("--compact-hash-check-time=0s"),
  more("--compact-hash-check-time=-90s"),
  more("--tls-min-version=x"),
  more("--tls-max-version=x"),
  more("--tls-min-version=TLS1.3 --tls-max-version=TLS1.2"),
  more("--tls-min-version=TLS1.3 --cipher-suites=x"),
  more("--discovery-fallback=proxy"),
  more("--cipher-suites=x"),
  more("--cipher-suites=TLS_AES_128_GCM_SHA256,x"),
  more("--peer-auto-tls --self-signed-cert-validity=0"),
  more("--peer-cert-file=/no/such/file"),
  more("--peer-cert-file=/no/such/file --peer-key-file=/no/such/file"),
  more("--peer-trusted-ca-file=/no/such/file"),
  more("--peer-crl-file=/no/such/file"),
  more("--peer-cert-allowed-cn=a --peer-cert-allowed-hostname=b"),
  more("--discovery-cert=x"),
  more("--discovery-token=x"),
  more("--discovery-token=x --discovery-endpoints=x --initial-cluster=m=http://localhost:2380"),
  more("--discovery-srv=example.com"),
  more("--force-new-cluster"),
  more("--discovery-srv=x --initial-cluster=m=http://localhost:2380"),
  more("--initial-cluster=other=http://localhost:2380"),
  more("--initial-cluster=m=foo"),
  more("--initial-cluster=m"),
  more("--initial-cluster=m=http://127.0.0.1:7"),
  more("--initial-cluster=m={peer},m=http://127.0.0.1:7"),
  more("--initial-cluster=m={peer},n={peer}"),
];

const LOGS: readonly Case[] = [
  more("--log-level=foo"),
  more("--log-format=foo"),
  more("--logger=foo"),
  more("--logger=capnslog"),
  more("--log-outputs=default,stdout"),
  more("--log-outputs=/nowhere/x.log"),
  more("--log-outputs=foo://bar"),
  more("--log-outputs=systemd/journal"),
  more("--log-outputs=systemd/journal,stderr"),
  more("--enable-log-rotation"),
  more("--enable-log-rotation --log-outputs=a.log,b.log"),
  more("--enable-log-rotation --log-outputs=a.log --log-rotation-config-json=x"),
  { name: "an empty rotation", args: [...HERE, ...rotation("")] },
  { name: "a cut rotation", args: [...HERE, ...rotation("{")] },
  { name: "a rotation of a wrong type", args: [...HERE, ...rotation('{"maxsize":"x"}')] },
  { name: "a rotation that is no object", args: [...HERE, ...rotation("[]")] },
];

function rotation(json: string): string[] {
  return ["--enable-log-rotation", "--log-outputs=a.log", `--log-rotation-config-json=${json}`];
}

const ENVIRONMENT: readonly Case[] = [
  withEnv({ ETCD_SNAPSHOT_COUNT: "5" }),
  withEnv({ ETCD_NAME: "n" }),
  withEnv({ ETCD_DATA_DIR: "" }),
  withEnv({ ETCD_SNAPSHOT_COUNT: "x" }),
  withEnv({ ETCD_PRE_VOTE: "x" }),
  withEnv({ ETCD_CORS: "x" }),
  withEnv({ ETCD_CORS: "x", ETCD_SNAPSHOT_COUNT: "x", ETCD_MAX_WALS: "-1" }),
  withEnv({ ETCD_MAX_WALS: "3", ETCD_UNKNOWN: "1", ETCD_SNAPSHOT_COUNT: "x" }),
  withEnv({ ETCD_UNKNOWN: "1" }),
  withEnv({ ETCD_VERSION: "3.7" }),
  withEnv({ ETCD_FORCE: "1" }),
  withEnv({ ETCD_LISTEN_CLIENT_URLS: "http://127.0.0.1:1" }, ["--name=m"]),
  withEnv({ ETCD_FEATURE_GATES: "LeaseCheckpoint=true" }),
  withEnv({ ETCD_HEARTBEAT_INTERVAL: "0" }),
  withEnv({ ETCD_CONFIG_FILE: "/nowhere" }),
  withEnv({ ETCD_HELP: "1" }),
];

const FILES: readonly Case[] = [
  line("--config-file=/nowhere"),
  line("--config-file=/tmp"),
  moreInFile(""),
  only('"key":"unknown-key"', moreInFile("unknown-key: 3\n")),
  { ...moreInFile("max-wals: 3\n"), args: [], env: { ETCD_CONFIG_FILE: "{dir}/etcd.yaml" } },
  {
    ...moreInFile("max-txn-ops: 3\n"),
    args: ["--config-file={dir}/etcd.yaml", "--name=other", "--heartbeat-interval=0"],
    env: { ETCD_NAME: "third", ETCD_ELSE: "1" },
  },
  moreInFile("max-snapshots: 3\nHEARTBEAT-interval: 50\n"),
  moreInFile("pre-vote: yes\nenable-grpc-gateway: on\nsnapshot-count: 0x10\n"),
  moreInFile("log-outputs: [stderr]\nlog-level: info\n"),
  moreInFile("watch-progress-notify-interval: 600000000000\n"),
  moreInFile("client-transport-security:\npeer-transport-security: {}\nsocket-options: {}\n"),
  moreInFile('feature-gates: "LeaseCheckpoint=true"\n'),
  only("started", moreInFile("watch-progress-notify-interval: 10m\n")),
  inFile("foo\n"),
  inFile("[1]\n"),
  inFile("name: [1,2]\n"),
  inFile("name: 5\n"),
  inFile("heartbeat-interval: x\n"),
  inFile("heartbeat-interval: -1\n"),
  inFile("heartbeat-interval: 1.5\n"),
  inFile("heartbeat-interval: 0\nelection-timeout: 5\n"),
  inFile("name: a\nname: b\nheartbeat-interval: 0\n"),
  inFile("pre-vote: 3\n"),
  inFile("watch-progress-notify-interval: 10x\n"),
  inFile('quota-backend-bytes: "5"\n'),
  inFile("max-concurrent-streams: 99999999999\n"),
  inFile("quota-backend-bytes: 9223372036854775808\n"),
  inFile("log-outputs: stderr\n"),
  inFile("log-outputs: [1]\n"),
  inFile("client-transport-security: x\n"),
  inFile("client-transport-security: {cert-file: 3}\n"),
  inFile("peer-transport-security: {client-cert-auth: 5}\n"),
  inFile("socket-options: 5\n"),
  inFile("socket-options: {reuse-port: 5}\n"),
  inFile("discovery-config: {client: {endpoints: x}}\n"),
  inFile("discovery-config: {token: 5}\n"),
  inFile("discovery-config: {client: {secure: {cert: 5}}}\n"),
  inFile("discovery-config: {token: x}\n"),
  inFile("listen-client-urls: foo\n"),
  inFile("advertise-client-urls: foo\n"),
  inFile("listen-metrics-urls: [http://127.0.0.1:1]\n"),
  inFile("listen-metrics-urls: http://a:1\n"),
  inFile("feature-gates: foo=true\n"),
  inFile("feature-gates: {LeaseCheckpoint: true}\n"),
  inFile("initial-cluster-state: foo\n"),
  inFile("tls-min-version: 5\n"),
  inFile("logger: x\n"),
  inFile("cors: foo\n"),
  end(inFile("a: b: c\n")),
  end(inFile("a: [\n")),
  end(inFile('{"name":"x"')),
  inFile('{"heartbeat-interval": "x"}'),
  inFile('{"heartbeat-interval": 0}'),
];

const STARTS: readonly Case[] = [
  more("--snapshot-count=010 --max-wals=0x5"),
  more("--pre-vote --strict-reconfig-check=T"),
  more("--force --v --snapshot=3 --peer-election-timeout=x"),
  more("--max-snapshots=3"),
  more("--v2-deprecation=gone"),
  end(more("--feature-gates=AllAlpha=true,LeaseCheckpoint=false,LeaseCheckpointPersist=false")),
  more("--feature-gates=LeaseCheckpoint=true --feature-gates=LeaseCheckpointPersist=true"),
  more("--feature-gates=LeaseCheckpoint=true"),
  more("--auto-compaction-mode=revision --auto-compaction-retention=5m"),
  more("--auto-compaction-retention=10"),
  more("--log-level=INFO"),
  more("--initial-cluster=m={peer}"),
  more("--cors=* --host-whitelist=a,b"),
  more("--metrics=extensive"),
  end(more("--log-format=console")),
  end(line("--version")),
  end(line("--version=true --heartbeat-interval=0")),
  end(line("--help")),
  end(line("-h")),
  line("--help=x extra"),
];

const NOT_YET: readonly Case[] = [
  only("1 ", more("--initial-cluster-state=existing --initial-cluster=m={peer}")),
  only("--cert-file is not supported yet", more("--cert-file=x --key-file=y")),
  only("--client-cert-auth is not supported yet", more("--client-cert-auth")),
  only("--auto-tls is not supported yet", more("--auto-tls")),
  only("--auth-token is not supported yet", more("--auth-token=jwt,pub-key=x")),
  only(
    "allowed-cn is not supported yet",
    moreInFile("client-transport-security: {allowed-cn: [x]}\n"),
  ),
];

export const CASES: readonly Case[] = [
  ...SYNTAX,
  ...CHECKS,
  ...LOGS,
  ...ENVIRONMENT,
  ...FILES,
  ...STARTS,
  ...NOT_YET,
];

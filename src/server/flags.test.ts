import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Config, makeConfig } from "./config.ts";
import { datedNotes } from "./config-checks.ts";
import { FLAGS, type FlagName } from "./flag-table.ts";
import { FlagError, HelpRequest, type Note, parseFlags, usage } from "./flags.ts";
import { logOptions } from "./log-options.ts";
import { startFields } from "./start-line.ts";

type Environment = Readonly<Record<string, string>>;

/** Status and text of what is wrong, or undefined. */
function refusal(args: readonly string[], env: Environment = {}): string | undefined {
  try {
    const flags = parseFlags(args, env);
    logOptions(flags);
    makeConfig(flags);
    return undefined;
  } catch (error) {
    if (error instanceof HelpRequest) return "help";
    assert.ok(error instanceof FlagError, String(error));
    return `${error.exitCode} ${error.manner} ${error.message}`;
  }
}

const config = (...args: string[]): Config => makeConfig(parseFlags(args, {}));

test("mistakes of syntax end with status 2 and Go's texts", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["--heartbeat-interval=x", 'invalid value "x" for flag -heartbeat-interval: parse error'],
    ["--heartbeat-interval=-1", 'invalid value "-1" for flag -heartbeat-interval: parse error'],
    ["--max-wals=18446744073709551616", out("18446744073709551616", "max-wals")],
    [
      "--quota-backend-bytes=9223372036854775808",
      out("9223372036854775808", "quota-backend-bytes"),
    ],
    ["--quota-backend-bytes=1.5", 'invalid value "1.5" for flag -quota-backend-bytes: parse error'],
    ["--pre-vote=maybe", 'invalid boolean value "maybe" for -pre-vote: parse error'],
    [
      "--grpc-keepalive-timeout=5",
      'invalid value "5" for flag -grpc-keepalive-timeout: parse error',
    ],
    ["--bogus", "flag provided but not defined: -bogus"],
    ["-bogus=3", "flag provided but not defined: -bogus"],
    ["--name", "flag needs an argument: -name"],
    ["---name", "bad flag syntax: ---name"],
    ["--=x", "bad flag syntax: --=x"],
    ["-=x", "bad flag syntax: -=x"],
    [
      "--initial-cluster-state=x",
      'invalid value "x" for flag -initial-cluster-state: invalid value',
    ],
    ["--v2-deprecation=x", 'invalid value "x" for flag -v2-deprecation: invalid value "x"'],
    ["--feature-gates=x", 'invalid value "x" for flag -feature-gates: missing bool value for x'],
    [
      "--max-concurrent-streams=-1",
      'invalid value "-1" for flag -max-concurrent-streams: ' +
        'strconv.ParseUint: parsing "-1": invalid syntax',
    ],
    [
      "--listen-client-urls=http://a:1/x",
      'invalid value "http://a:1/x" for flag -listen-client-urls: ' +
        "URL must not contain a path: http://a:1/x",
    ],
  ];
  for (const [argument, text] of cases) assert.equal(refusal([argument]), `2 usage ${text}`);
});

const out = (value: string, name: string) =>
  `invalid value "${value}" for flag -${name}: value out of range`;

test("the first word that is no flag ends the line, and is refused", () => {
  for (const args of [
    ["foo"],
    ["--name=a", "foo", "--bogus"],
    ["--", "foo"],
    ["--pre-vote", "foo"],
  ])
    assert.equal(refusal(args), '1 verify "foo" is not a valid flag');
  assert.equal(refusal([""]), '1 verify "" is not a valid flag');
  assert.equal(refusal(["--"]), undefined);
});

test("help is asked for by flags that are none", () => {
  for (const args of [["-h"], ["--help"], ["--help=x", "foo"]]) assert.equal(refusal(args), "help");
  assert.match(refusal(["--bogus", "--help"])!, /not defined/);
  for (const name of Object.keys(FLAGS).filter((flag) => FLAGS[flag as FlagName].help !== ""))
    assert.ok(usage().includes(`--${name} '`), name);
});

test("settings that contradict each other are refused with etcd's texts", () => {
  const cases: readonly (readonly [string[], string])[] = [
    [["--listen-client-urls=http://127.0.0.1:1"], "--advertise-client-urls is required when "],
    [["--listen-peer-urls=http://foo:1"], "expected IP in URL for binding (http://foo:1)"],
    [["--listen-metrics-urls=http://:1"], "expected IP in URL for binding (http://:1)"],
    [["--heartbeat-interval=0"], "--heartbeat-interval must be >0 (set to 0ms)"],
    [["--election-timeout=0"], "--election-timeout must be >0 (set to 0ms)"],
    [["--election-timeout=499"], "--election-timeout[499ms] should be at least as 5 times as "],
    [["--election-timeout=50001"], "--election-timeout[50001ms] is too long, and should be set"],
    [["--auto-compaction-mode=x"], 'unknown auto-compaction-mode "x"'],
    [["--auto-compaction-mode="], "undefined auto-compaction-mode"],
    [["--compact-hash-check-time=-1m"], "--compact-hash-check-time must be >0 (set to -1m0s)"],
    [["--feature-gates=LeaseCheckpointPersist=1"], "enabling feature gate LeaseCheckpointPersist"],
    [["--tls-min-version=TLS1.1"], 'unexpected TLS version "TLS1.1" (must be one of: TLS1.2, '],
    [["--discovery-token=x"], "both --discovery-token and --discovery-endpoints must be set"],
    [["--discovery-srv=x", "--initial-cluster=a=http://a:1"], "multiple discovery or bootstrap"],
    [["--discovery-fallback=proxy"], "v2 proxy is deprecated, and --discovery-fallback can't be"],
    [["--log-format=x"], "unknown log format: x, supported values json, console"],
    [["--logger=capnslog"], "--logger=capnslog is removed in v3.5"],
    [["--log-outputs=default,x"], 'multi logoutput for "default" is not supported yet'],
    [["--enable-log-rotation"], "--log-outputs requires a single file path when --log-rotate-"],
  ];
  for (const [args, text] of cases) {
    const said = refusal(args) ?? "nothing";
    assert.ok(said.startsWith(`1 verify ${text}`), `${args.join(" ")}: ${said}`);
  }
  assert.equal(refusal(["--log-level=x"]), '2 panic unrecognized level: "x"');
});

test("what cannot be ignored safely is refused, at other than its default", () => {
  const unsafe = ["cert-file=x", "client-cert-auth", "auto-tls=1", "auth-token=jwt,x"];
  for (const flag of unsafe)
    assert.match(refusal([`--${flag}`])!, /^1 verify --[a-z-]+ is not supported yet/, flag);
  for (const flag of ["client-cert-auth=F", "auth-token=simple", "cert-file=", "auto-tls=false"])
    assert.equal(refusal([`--${flag}`]), undefined, flag);
  const urls = ["--listen-client-urls=https://127.0.0.1:1", "--advertise-client-urls=https://a:1"];
  assert.match(refusal(urls)!, /TLS is not supported yet/);
});

test("variables stand for flags, and contradict them", () => {
  const conflict =
    "1 conflict conflicting environment variable is shadowed by corresponding command-line flag " +
    "(either unset environment variable or disable flag))";
  assert.equal(refusal(["--name=a"], { ETCD_NAME: "b" }), conflict);
  assert.equal(refusal(["--name=a"], { ETCD_NAME: "" }), conflict);
  assert.equal(
    refusal([], { ETCD_PRE_VOTE: "x", ETCD_CORS: "x" }),
    '1 verify invalid value "x" for ETCD_PRE_VOTE: parse error',
  );
  const said: string[] = [];
  const say = ({ level, message }: Note) => said.push(`${level} ${message}`);
  const env = { ETCD_MAX_WALS: "7", ETCD_ODD: "x", ETCD_VERSION: "3" };
  assert.equal(parseFlags([], env, say).values.get("max-wals"), "7");
  assert.deepEqual(said, [
    "warn cannot set special environment variable",
    "info recognized and used environment variable",
    "warn unrecognized environment variable",
  ]);
  // With a file, or for a mere question, the environment is not looked at.
  assert.equal(parseFlags(["--name=a"], { ETCD_NAME: "b", ETCD_CONFIG_FILE: "x" }).values.size, 1);
  assert.equal(parseFlags(["--version"], { ETCD_NAME: "b" }).values.size, 1);
});

test("flags that were dropped long ago take anything", () => {
  const { values } = parseFlags(["--force", "--v", "--snapshot=x", "--peer-election-timeout"], {});
  assert.deepEqual([...values.keys()], ["force", "v", "snapshot", "peer-election-timeout"]);
});

test("values are read as Go reads them", () => {
  const some = config("--snapshot-count=010", "--max-wals=0x5", "--max-txn-ops=1_0", "--name=m");
  assert.deepEqual([some.snapshotEntries, some.walsMax], [8, 5]);
  const urls = "http://127.0.0.1:2, http://127.0.0.1:1,http://127.0.0.1:2";
  const { listenClientUrls, advertiseClientUrls } = config(
    `--listen-client-urls=${urls}`,
    "--advertise-client-urls=http://b:1,http://a:1",
  );
  assert.deepEqual(listenClientUrls.map(String), ["http://127.0.0.1:1/", "http://127.0.0.1:2/"]);
  assert.deepEqual(advertiseClientUrls, ["http://a:1", "http://b:1"]);
  assert.deepEqual(config("--listen-metrics-urls=").listenMetricsUrls, []);
});

test("members wait for each other as long as they are asked to, but 5 seconds at least", () => {
  const said: string[] = [];
  const say = ({ message }: Note) => said.push(message);
  const flags = ["--name=m", "--raft-read-timeout=7s", "--raft-write-timeout=4s"];
  const { peerTimes } = makeConfig(parseFlags(flags, {}), { say });
  assert.deepEqual(peerTimes, { readTimeoutMs: 7000, writeTimeoutMs: 5000 });
  assert.equal(said[0], "raft-write-timeout increased to minimum value: 5s");
});

test("a member that listens on all addresses tells others the machine's own", () => {
  const defaultHost = () => "10.0.0.7";
  const flags = ["--name=m", "--listen-peer-urls=http://0.0.0.0:77"];
  const made = makeConfig(parseFlags(flags, {}), { defaultHost });
  assert.deepEqual(made.advertisePeerUrls, ["http://10.0.0.7:77"]);
  assert.equal(made.initialCluster, "m=http://10.0.0.7:77");
  const said = [...flags, "--initial-advertise-peer-urls=http://a:1"];
  const told = makeConfig(parseFlags(said, {}), { defaultHost });
  assert.deepEqual(told.advertisePeerUrls, ["http://a:1"]);
});

test("retention is hours, revisions or a duration", () => {
  const cases: readonly (readonly [mode: string, text: string, value: number])[] = [
    ["periodic", "0", 0],
    ["periodic", "2", 7_200_000],
    ["periodic", "5m", 300_000],
    ["periodic", "", 0],
    ["revision", "1000", 1000],
    ["revision", "1us", 1000],
  ];
  for (const [mode, text, value] of cases) {
    const flags = [`--auto-compaction-mode=${mode}`, `--auto-compaction-retention=${text}`];
    assert.equal(config(...flags).autoCompactionRetention, value, `${mode} ${text}`);
  }
  assert.match(
    refusal(["--auto-compaction-retention=-5"])!,
    /^1 start error parsing CompactionRetention: time: missing unit in duration "-5"$/,
  );
});

test("gates of a stage follow its word, unless they are named", () => {
  const gates = config("--feature-gates=AllAlpha=true,PriorityRequest=false,AllBeta=false");
  assert.equal(gates.featureGates.get("LeaseCheckpoint"), true);
  assert.equal(gates.featureGates.get("PriorityRequest"), false);
  assert.equal(gates.featureGates.get("AllAlpha"), true);
  assert.equal(gates.features.fastLeaseKeepAlive, false);
  assert.equal(config().features.fastLeaseKeepAlive, true);
  const twice = config("--feature-gates=AllAlpha=1", "--feature-gates=LeaseCheckpoint=1");
  assert.equal(twice.features.leaseCheckpointPersist, true);
});

test("the log is told of flags that will go or have no effect", () => {
  const notes = datedNotes(parseFlags(["--max-snapshots=3", "--memory-mlock"], {}));
  assert.deepEqual(
    notes.map(({ message }) => message),
    [
      "--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8.",
      "the flag has no effect yet",
    ],
  );
  const said: string[] = [];
  const say = ({ message }: Note) => said.push(message);
  makeConfig(parseFlags(["--feature-gates=LeaseCheckpoint=true"], {}), { say });
  assert.match(said.join("\n"), /^Running http and grpc.*\nDetected that.*\nit isn't recommended/);
});

test("the log says with what settings a member starts, in etcd's words", () => {
  const made = config("--name=m", "--listen-metrics-urls=http://127.0.0.1:7,unix:///tmp/x");
  const fields = startFields(made, { isInitialized: true }) as Record<string, unknown>;
  assert.equal(fields["heartbeat-interval"], "100ms");
  assert.equal(fields["quota-backend-bytes"], 2_147_483_648);
  assert.deepEqual(fields["listen-metrics-urls"], ["http://127.0.0.1:7", "unix:///tmp/x"]);
  assert.equal(fields["initial-cluster"], "");
  const first = startFields(made, { isInitialized: false }) as Record<string, unknown>;
  assert.equal(first["initial-cluster"], "m=http://localhost:2380");
});

test("no command line does more than to be refused", () => {
  const names = fc.constantFrom(...Object.keys(FLAGS));
  const word = fc.oneof(fc.string(), fc.constantFrom("1", "x", "5s", "http://127.0.0.1:1", "*"));
  const argument = fc.oneof(
    fc.string(),
    names.map((name) => `--${name}`),
    fc.tuple(names, word).map(([name, value]) => `--${name}=${value}`),
  );
  fc.assert(fc.property(fc.array(argument, { maxLength: 4 }), (args) => void refusal(args)));
});

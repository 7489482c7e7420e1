/** What settings must be, whatever the member does with them: etcd's checks and its texts. */
import { quoteText, formatDuration } from "../base/index.ts";
import type { Features } from "./features.ts";
import { FLAGS, type Flag, type FlagName } from "./flag-table.ts";
import { FlagError, type Note, type ParsedFlags, type Say } from "./flags.ts";
import { Settings } from "./settings.ts";

const ELECTION_MS_MAX = 50_000;

/** The one mistake that etcd tells twice. */
export const UNADVERTISED =
  "--advertise-client-urls is required when --listen-client-urls is set explicitly";

/** All checks in etcd's order. Throws FlagError; tells of what is allowed but not advised. */
export function checkSettings(settings: Settings, gates: Features, say: Say): void {
  if (!settings.isFromFile && settings.text("discovery-fallback") === "proxy") {
    throw new FlagError(
      `v2 proxy is deprecated, and --discovery-fallback can't be configured as "proxy"`,
    );
  }
  checkUrls(settings, say);
  checkBootstrapChoice(settings);
  checkTimes(settings);
  const mustAdvertise = !settings.isFromFile && settings.isSet("listen-client-urls");
  if (mustAdvertise && !settings.isSet("advertise-client-urls")) {
    throw new FlagError(UNADVERTISED);
  }
  checkCompactionMode(settings.text("auto-compaction-mode"));
  checkGates(gates, say);
  const hashCheckMs = settings.ms("compact-hash-check-time");
  if (hashCheckMs <= 0) {
    const set = formatDuration(hashCheckMs);
    throw new FlagError(`--compact-hash-check-time must be >0 (set to ${set})`);
  }
  if (settings.text("name") === FLAGS.name.default) {
    const message =
      "it isn't recommended to use default name, please set a value for --name. " +
      "Note that etcd might run into issue when multiple members have the same default name";
    say({ level: "warn", message, fields: { name: FLAGS.name.default } });
  }
  checkTls(settings);
  checkAutoTls(settings);
  refuseUnsupported(settings);
}

function checkUrls(settings: Settings, say: Say): void {
  checkBound(settings.urls("listen-peer-urls"));
  checkBound(settings.urls("listen-client-urls"));
  const httpUrls = settings.urls("listen-client-http-urls");
  checkBound(httpUrls);
  if (httpUrls.length === 0) {
    const message =
      "Running http and grpc server on single port. This is not recommended for production.";
    say({ level: "warn", message });
  }
  checkBound(settings.urls("listen-metrics-urls"));
  checkAdvertised(settings, "initial-advertise-peer-urls", '"host:port"');
  const form = 'in the format "host:port", "unix:/path/to/socket" or "unixs:/path/to/socket"';
  checkAdvertised(settings, "advertise-client-urls", form);
}

/** Where to listen must be said by address, not by a name that may mean another one tomorrow. */
function checkBound(urls: readonly string[]): void {
  for (const url of urls) {
    const host = hostOf(url);
    if (host === undefined || host === "localhost" || isAddress(host)) continue;
    throw new FlagError(`expected IP in URL for binding (${url})`);
  }
}

const isAddress = (host: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(host) || (host.includes(":") && URL.canParse(`http://[${host}]`));

/** The host of an URL, without its port; undefined for a path in the file system. */
function hostOf(url: string): string | undefined {
  const match = /^https?:\/\/(?:[^/@]*@)?(?:\[([^\]]*)\]|([^:/]*)):/i.exec(url);
  return match === null ? undefined : (match[1] ?? match[2]!);
}

function checkAdvertised(settings: Settings, name: FlagName, form: string): void {
  const urls = settings.urls(name);
  const nameless = urls.find((url) => hostOf(url) === "");
  if (nameless === undefined) return;
  const all = quoteText(urls.join(","));
  throw new FlagError(`--${name} ${all} must be ${form} (unexpected empty host (${nameless}))`);
}

/** A cluster is told of in one way only. */
function checkBootstrapChoice(settings: Settings): void {
  const state = settings.text("initial-cluster-state");
  if (state !== "new" && state !== "existing") {
    throw new FlagError(`unexpected clusterState ${quoteText(state)}`);
  }
  const endpoints = settings.list("discovery-endpoints");
  const ways = [settings.text("initial-cluster"), settings.text("discovery-srv"), endpoints.join()];
  if (ways.filter((way) => way !== "").length > 1) {
    throw new FlagError(
      "multiple discovery or bootstrap flags are set. " +
        'Choose one of "initial-cluster", "discovery-endpoints" or "discovery-srv"',
    );
  }
  if ((settings.text("discovery-token") !== "") !== endpoints.length > 0) {
    throw new FlagError("both --discovery-token and --discovery-endpoints must be set");
  }
  if (endpoints.some((endpoint) => endpoint.trim() === "")) {
    throw new FlagError("--discovery-endpoints must not contain empty endpoints");
  }
}

function checkTimes(settings: Settings): void {
  const tickMs = settings.number("heartbeat-interval");
  const electionMs = settings.number("election-timeout");
  if (tickMs === 0) throw new FlagError("--heartbeat-interval must be >0 (set to 0ms)");
  if (electionMs === 0) throw new FlagError("--election-timeout must be >0 (set to 0ms)");
  if (5 * tickMs > electionMs) {
    throw new FlagError(
      `--election-timeout[${electionMs}ms] should be at least as 5 times as ` +
        `--heartbeat-interval[${tickMs}ms]`,
    );
  }
  if (electionMs > ELECTION_MS_MAX) {
    throw new FlagError(
      `--election-timeout[${electionMs}ms] is too long, ` +
        `and should be set less than ${ELECTION_MS_MAX}ms`,
    );
  }
}

function checkCompactionMode(mode: string): void {
  if (mode === "periodic" || mode === "revision") return;
  const problem = mode === "" ? "undefined" : "unknown";
  const what = mode === "" ? "" : ` ${quoteText(mode)}`;
  throw new FlagError(`${problem} auto-compaction-mode${what}`);
}

function checkTls(settings: Settings): void {
  const least = settings.text("tls-min-version");
  const most = settings.text("tls-max-version");
  for (const version of [least, most]) {
    if (["", "TLS1.2", "TLS1.3"].includes(version)) continue;
    const name = quoteText(version);
    throw new FlagError(`unexpected TLS version ${name} (must be one of: TLS1.2, TLS1.3)`);
  }
  if (most !== "" && least > most) {
    throw new FlagError(`min version (${least}) is greater than max version (${most})`);
  }
  if (least === "TLS1.3" && settings.text("cipher-suites") !== "") {
    throw new FlagError("cipher suites cannot be configured when only TLS1.3 is enabled");
  }
}

/** With a certificate of its own making a member lets in whoever comes: etcd does in silence. */
function checkAutoTls(settings: Settings): void {
  const hasCertificate = settings.text("peer-cert-file") + settings.text("peer-key-file") !== "";
  if (!settings.isOn("peer-auto-tls") || hasCertificate) return;
  const limits = [
    "peer-client-cert-auth",
    "peer-trusted-ca-file",
    "peer-crl-file",
    "peer-cert-allowed-cn",
    "peer-cert-allowed-hostname",
  ] as const;
  const limit = limits.find((name) => settings.differs(name));
  if (limit === undefined) return;
  throw new FlagError(
    `--${limit} has no meaning with --peer-auto-tls and cannot be ignored safely`,
  );
}

/** What cannot be done yet, and must not be left out in silence. */
function refuseUnsupported(settings: Settings): void {
  for (const [name, flag] of Object.entries<Flag>(FLAGS)) {
    if (flag.later !== "refuse" || !settings.differs(name as FlagName)) continue;
    throw new FlagError(`--${name} is not supported yet and cannot be ignored safely`);
  }
  const urls = ["listen-client-urls", "listen-client-http-urls", "listen-metrics-urls"] as const;
  for (const url of urls.flatMap((name) => settings.urls(name))) {
    if (/^(https|unixs):/i.test(url)) throw new FlagError(`TLS is not supported yet: ${url}`);
  }
}

function checkGates(gates: Features, say: Say): void {
  const [isOn, isKept] = [gates.get("LeaseCheckpoint"), gates.get("LeaseCheckpointPersist")];
  if (isOn && !isKept) {
    const message =
      "Detected that checkpointing is enabled without persistence. " +
      "Consider enabling feature gate LeaseCheckpointPersist";
    say({ level: "warn", message });
  }
  if (isOn || !isKept) return;
  throw new FlagError(
    "enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint",
  );
}

/** Of flags that will go, and flags whose work is not done yet. */
export function datedNotes(flags: ParsedFlags): Note[] {
  const settings = new Settings(flags);
  const notes: Note[] = [];
  for (const [name, flag] of Object.entries<Flag>(FLAGS)) {
    if (!settings.isSet(name as FlagName)) continue;
    if (flag.deprecated !== undefined) notes.push({ level: "warn", message: flag.deprecated });
    if (flag.later === "warn" && settings.differs(name as FlagName)) {
      const fields = { "flag-name": name };
      notes.push({ level: "warn", message: "the flag has no effect yet", fields });
    }
  }
  return notes;
}

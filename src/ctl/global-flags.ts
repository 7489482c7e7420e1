import {
  boolFlag,
  durationFlag,
  type FlagValues,
  FORMATS,
  intFlag,
  offering,
  stringFlag,
  stringsFlag,
} from "../cli/index.ts";

/** Flags of every command; each can also be set by a variable: `ETCDCTL_DIAL_TIMEOUT`. */
export const globalFlags = {
  endpoints: stringsFlag("gRPC endpoints", ["127.0.0.1:2379"]),
  debug: boolFlag("enable client-side debug logging"),
  "write-out": offering(
    FORMATS.toSorted(),
    stringFlag("set the output format (fields, json, protobuf, simple, table)", "simple", "w"),
  ),
  hex: boolFlag("print byte strings as hex encoded strings"),
  "dial-timeout": durationFlag("dial timeout for client connections", 2_000),
  "command-timeout": durationFlag(
    "timeout for short running command (excluding dial timeout)",
    5_000,
  ),
  "keepalive-time": durationFlag("keepalive time for client connections", 2_000),
  "keepalive-timeout": durationFlag("keepalive timeout for client connections", 6_000),
  "max-request-bytes": intFlag(
    "client-side request send limit in bytes (if 0, it defaults to 2.0 MiB (2 * 1024 * 1024).)",
  ),
  "max-recv-bytes": intFlag(
    'client-side response receive limit in bytes (if 0, it defaults to "math.MaxInt32")',
  ),
  "insecure-transport": boolFlag("disable transport security for client connections", true),
  "insecure-discovery": boolFlag("accept insecure SRV records describing cluster endpoints", true),
  "insecure-skip-tls-verify": boolFlag(
    "skip server certificate verification (CAUTION: this option should be enabled only for " +
      "testing purposes)",
  ),
  cert: stringFlag("identify secure client using this TLS certificate file"),
  key: stringFlag("identify secure client using this TLS key file"),
  cacert: stringFlag("verify certificates of TLS-enabled secure servers using this CA bundle"),
  "auth-jwt-token": stringFlag(
    "JWT token used for authentication (if this option is used, --user and --password should not " +
      "be set)",
  ),
  user: stringFlag("username[:password] for authentication (prompt if password is not supplied)"),
  password: stringFlag(
    "password for authentication (if this option is used, --user option shouldn't include " +
      "password)",
  ),
  "discovery-srv": stringFlag(
    "domain name to query for SRV records describing cluster endpoints",
    "",
    "d",
  ),
  "discovery-srv-name": stringFlag("service name to query when using DNS discovery"),
} as const;

export type GlobalFlags = FlagValues<typeof globalFlags>;

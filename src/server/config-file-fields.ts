/** The keys of the configuration file, and which flag each stands for. */
import { FLAGS, type Flag, type FlagName } from "./flag-table.ts";
import type { GoType } from "./json-types.ts";

export type Field =
  | { readonly kind: "group"; readonly group: Group }
  | {
      readonly kind: "value";
      readonly type: GoType;
      /** How error texts name it. */
      readonly path: string;
      /** Undefined for what no flag can say. */
      readonly flag: FlagName | undefined;
    };

/** An object of the file. Error texts name it by its Go type, and by where it stands. */
export interface Group {
  readonly struct: string;
  readonly type: string;
  readonly outer: string;
  readonly path: string;
  readonly fields: ReadonlyMap<string, Field>;
}

/** The key as it is, or in other letters: Go's decoder does not mind. */
export function findField(group: Group, key: string): Field | undefined {
  const exact = group.fields.get(key);
  if (exact !== undefined) return exact;
  for (const [name, field] of group.fields) {
    if (name.toLowerCase() === key.toLowerCase()) return field;
  }
  return undefined;
}

/** Flags that the file has no key for, or only in a group. */
const NOT_IN_FILE =
  /^(config-file|version|discovery-(?!srv).*|raft-.*-timeout|socket-.*|(peer-|client-)?(cert|key|crl)-file|(peer-)?client-.*|(peer-)?trusted-ca-file|(peer-)?auto-tls|peer-.*)$/;

/** Keys that etcd keeps in a structure of their own, because the text is not the value yet. */
const AS_TEXT =
  /^(listen-(peer|client|client-http)-urls|initial-advertise-peer-urls|advertise-client-urls|cors|host-whitelist|feature-gates)$/;

const LISTS: ReadonlySet<string> = new Set(["log-outputs", "cipher-suites"]);

const security = (prefix: "client" | "peer"): Group => {
  const flag = (name: string): FlagName => (prefix === "peer" ? `peer-${name}` : name) as FlagName;
  const isPeer = prefix === "peer";
  return group(
    "securityConfig",
    "embed.securityConfig",
    `configJSON.${prefix}-transport-security`,
    [
      ["cert-file", "string", flag("cert-file")],
      ["key-file", "string", flag("key-file")],
      ["client-cert-file", "string", flag("client-cert-file")],
      ["client-key-file", "string", flag("client-key-file")],
      ["client-cert-auth", "bool", flag("client-cert-auth")],
      ["trusted-ca-file", "string", flag("trusted-ca-file")],
      ["auto-tls", "bool", flag("auto-tls")],
      ["allowed-cn", "[]string", isPeer ? "peer-cert-allowed-cn" : undefined],
      [
        "allowed-hostname",
        "[]string",
        isPeer ? "peer-cert-allowed-hostname" : "client-cert-allowed-hostname",
      ],
      [
        "skip-client-san-verification",
        "bool",
        isPeer ? "peer-skip-client-san-verification" : undefined,
      ],
    ],
  );
};

type Row = readonly [key: string, type: GoType, flag: FlagName | undefined];

function group(
  struct: string,
  type: string,
  path: string,
  rows: readonly Row[],
  groups: readonly (readonly [key: string, group: Group])[] = [],
): Group {
  const fields = new Map<string, Field>();
  for (const [key, goType, flag] of rows) {
    fields.set(key, { kind: "value", type: goType, path: `${struct}.${path}.${key}`, flag });
  }
  for (const [key, inner] of groups) {
    fields.set(key, { kind: "group", group: { ...inner, outer: struct } });
  }
  return { struct, type, outer: "configYAML", path, fields };
}

const CLIENT_PATH = "Config.discovery-config.client";

const discovery = group(
  "DiscoveryConfig",
  "v3discovery.DiscoveryConfig",
  "Config.discovery-config",
  [["token", "string", "discovery-token"]],
  [
    [
      "client",
      group(
        "ConfigSpec",
        "clientv3.ConfigSpec",
        CLIENT_PATH,
        [
          ["endpoints", "[]string", "discovery-endpoints"],
          ["request-timeout", "time.Duration", "discovery-request-timeout"],
          ["dial-timeout", "time.Duration", "discovery-dial-timeout"],
          ["keepalive-time", "time.Duration", "discovery-keepalive-time"],
          ["keepalive-timeout", "time.Duration", "discovery-keepalive-timeout"],
        ],
        [
          [
            "secure",
            group("SecureConfig", "clientv3.SecureConfig", `${CLIENT_PATH}.secure`, [
              ["cert", "string", "discovery-cert"],
              ["key", "string", "discovery-key"],
              ["cacert", "string", "discovery-cacert"],
              ["insecure-transport", "bool", "discovery-insecure-transport"],
              ["insecure-skip-tls-verify", "bool", "discovery-insecure-skip-tls-verify"],
            ]),
          ],
          [
            "auth",
            group("AuthConfig", "clientv3.AuthConfig", `${CLIENT_PATH}.auth`, [
              ["username", "string", "discovery-user"],
              ["password", "string", "discovery-password"],
            ]),
          ],
        ],
      ),
    ],
  ],
);

const sockets = group("SocketOpts", "transport.SocketOpts", "Config.socket-options", [
  ["reuse-port", "bool", "socket-reuse-port"],
  ["reuse-address", "bool", "socket-reuse-address"],
]);

/** The file as a whole. */
export const TOP: Group = {
  struct: "configYAML",
  type: "embed.configYAML",
  outer: "",
  path: "",
  fields: topFields(),
};

function topFields(): ReadonlyMap<string, Field> {
  const fields = new Map<string, Field>();
  for (const [name, { kind }] of Object.entries<Flag>(FLAGS)) {
    if (kind === "ignored" || NOT_IN_FILE.test(name)) continue;
    const holder = AS_TEXT.test(name) ? "configJSON" : "Config";
    const path = `configYAML.${holder}.${name}`;
    fields.set(name, { kind: "value", type: typeOf(name, kind), path, flag: name as FlagName });
  }
  const groups: readonly (readonly [string, Group])[] = [
    ["client-transport-security", security("client")],
    ["peer-transport-security", security("peer")],
    ["socket-options", sockets],
    ["discovery-config", discovery],
  ];
  for (const [name, inner] of groups) fields.set(name, { kind: "group", group: inner });
  return fields;
}

function typeOf(name: string, kind: Flag["kind"]): GoType {
  switch (kind) {
    case "bool":
    case "int":
    case "int64":
    case "uint":
    case "uint32":
    case "uint64":
      return kind;
    case "duration":
      return "time.Duration";
    default:
      return LISTS.has(name) ? "[]string" : "string";
  }
}

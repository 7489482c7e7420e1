import type { Fields, RequestHead } from "./exchange.ts";

const METHODS = "POST, GET, OPTIONS, PUT, DELETE";
const HEADERS = "accept, content-type, authorization";
const NONE: Fields = {};

/** Which hosts and origins plain HTTP answers to; empty lists and `*` stand for all. */
export class Access {
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;

  constructor(options: { hostWhitelist: readonly string[]; cors: readonly string[] }) {
    this.#hosts = new Set(options.hostWhitelist);
    this.#origins = new Set(options.cors);
  }

  /** Why the host that a request asks for is none of ours, or undefined (DNS rebinding). */
  refuse(head: RequestHead): string | undefined {
    if (allowsAll(this.#hosts)) return undefined;
    const host = hostname(head.field("host") ?? "");
    return this.#hosts.has(host) ? undefined : unknownHost(host);
  }

  /** The fields that let a browser's script see the response. */
  corsFields(head: RequestHead): Fields {
    if (allowsAll(this.#origins)) return fieldsFor("*");
    const origin = head.field("origin") ?? "";
    return this.#origins.has(origin) ? fieldsFor(origin) : NONE;
  }
}

function allowsAll(list: ReadonlySet<string>): boolean {
  return list.size === 0 || list.has("*");
}

function fieldsFor(origin: string): Fields {
  return {
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Allow-Origin": origin,
    "Access-Control-Allow-Headers": HEADERS,
  };
}

/** The host without its port; as it is when it has none (Go: `net.SplitHostPort`). */
function hostname(host: string): string {
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):[^:[\]]*$/.exec(host);
  return match === null ? host : (match[1] ?? match[2]!);
}

function unknownHost(host: string): string {
  return `
etcd received your request, but the Host header was unrecognized.

To fix this, choose one of the following options:
- Enable TLS, then any HTTPS request will be allowed.
- Add the hostname you want to use to the whitelist in settings.
  - e.g. etcd --host-whitelist ${JSON.stringify(host)}

This requirement has been added to help prevent "DNS Rebinding" attacks (CVE-2018-5702).
`;
}

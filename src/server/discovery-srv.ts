import { lookUpSrv, type SrvRecord } from "../cli/index.ts";
import type { LogLines } from "../member/index.ts";
import type { Config } from "./config.ts";
import { type LookUp, systemLookUp } from "./same-urls.ts";

export interface SrvOptions {
  readonly config: Config;
  readonly lines: LogLines;
  readonly lookUp?: LookUp;
  readonly lookUpSrv?: (name: string) => Promise<SrvRecord[]>;
}

/**
 * The members that a domain's SRV records name, as `--initial-cluster` would have them, those with
 * TLS first. Nobody tells their names: the one that leads here has this member's, the others are
 * numbered. Rejects when there are none (etcd: `GetDNSClusterNames`).
 */
export async function discoverBySrv(options: SrvOptions): Promise<string> {
  const { config, lines } = options;
  const { domain, name } = config.discoverySrv;
  const found: string[] = [];
  const failures: string[] = [];
  for (const [scheme, kind] of [
    ["https", "etcd-server-ssl"],
    ["http", "etcd-server"],
  ] as const) {
    const service = name === "" ? kind : `${kind}-${name}`;
    let error: string | undefined;
    try {
      found.push(...(await membersOf({ scheme, service }, options)));
    } catch (thrown) {
      error = (thrown as Error).message;
      failures.push(error);
    }
    lines.info(`get cluster for ${kind} SRV`, {
      "service-scheme": scheme,
      "service-name": service,
      "server-name": config.name,
      "discovery-srv": domain,
      "advertise-peer-urls": config.advertisePeerUrls,
      "found-cluster": [...found],
      ...(error !== undefined && { error }),
    });
  }
  if (failures.length > 0) {
    lines.warn("failed to resolve during SRV discovery", { error: failures.join("\n") });
  }
  if (found.length === 0) throw new Error(failures.join("\n"));
  for (const node of found) lines.info("got bootstrap from DNS for etcd-server", { node });
  return found.join(",");
}

/** `name=url` of each member that the records of one service name. */
async function membersOf(
  { scheme, service }: { readonly scheme: string; readonly service: string },
  { config, lookUp = systemLookUp, lookUpSrv: records = lookUpSrv }: SrvOptions,
): Promise<string[]> {
  const place = async (host: string, port: number | string) =>
    `${(await lookUp(host.replace(/^\[|\]$/g, ""))).address}:${port}`;
  const own = new Map<string, string>();
  for (const url of config.advertisePeerUrls) {
    const { hostname, port } = new URL(url);
    own.set(await place(hostname, port), url);
  }
  try {
    let numbered = 0;
    const found: string[] = [];
    let problem: unknown;
    for (const { host, port } of await records(`_${service}._tcp.${config.discoverySrv.domain}`)) {
      const at = await place(host, port).catch((error: unknown) => void (problem = error));
      if (at === undefined) continue;
      const mine = own.get(at);
      const name = mine === undefined ? String(numbered++) : config.name;
      const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
      if (mine === undefined || mine.startsWith(`${scheme}:`)) found.push(`${name}=${url}`);
      else {
        problem = new Error(
          `bootstrap at ${url} from DNS for ${service} has scheme mismatch with expected peer ${mine}`,
        );
      }
    }
    if (found.length === 0 && problem !== undefined) throw problem;
    return found;
  } catch (error) {
    const why = (error as Error).message;
    throw new Error(`error querying DNS SRV records for _${service} ${why}`, { cause: error });
  }
}

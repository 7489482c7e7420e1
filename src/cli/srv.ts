import { getServers } from "node:dns";
import { resolveSrv } from "node:dns/promises";

/** One place of a service. */
export interface SrvRecord {
  /** Without the dot at its end. */
  readonly host: string;
  readonly port: number;
}

/**
 * The SRV records of a name such as `_etcd-client._tcp.example.com`, those of the lowest priority
 * number first. Rejects with an error that names the reason in Go's words.
 */
export async function lookUpSrv(name: string): Promise<SrvRecord[]> {
  try {
    const records = await resolveSrv(name);
    return records
      .toSorted((a, b) => a.priority - b.priority || b.weight - a.weight)
      .map(({ name: host, port }) => ({ host: host.replace(/\.$/, ""), port }));
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    const reason = REASONS[code] ?? "server misbehaving";
    throw new Error(`lookup ${name} on ${server()}: ${reason}`, { cause: error });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: "no such host",
  ENODATA: "no such host",
  ETIMEOUT: "i/o timeout",
};

function server(): string {
  const first = getServers()[0] ?? "127.0.0.1";
  return /:\d+$/.test(first) && !/^[^[].*:.*:/.test(first) ? first : `${first}:53`;
}

import { getServers } from "node:dns";
import { resolveSrv } from "node:dns/promises";
import { EXIT, Exit } from "../cli/index.ts";

/**
 * The client endpoints that a domain's SRV records name; those with TLS first. Throws `Exit` when
 * there are neither records for TLS nor for plain connections.
 */
export async function discoverEndpoints(domain: string, name: string): Promise<string[]> {
  const suffix = name === "" ? "" : `-${name}`;
  const [secure, plain] = await Promise.allSettled([
    lookUp(`_etcd-client-ssl${suffix}._tcp.${domain}`, "https"),
    lookUp(`_etcd-client${suffix}._tcp.${domain}`, "http"),
  ]);
  if (secure.status === "rejected" && plain.status === "rejected") {
    const reasons = [secure, plain].map(({ reason }) => (reason as Error).message);
    throw new Exit(EXIT.error, `dns lookup errors: ${reasons.join(" and ")}`);
  }
  return [secure, plain].flatMap((found) => (found.status === "fulfilled" ? found.value : []));
}

/** Rejects with an error that names the reason in Go's words. */
async function lookUp(host: string, scheme: string): Promise<string[]> {
  try {
    const records = await resolveSrv(host);
    return records
      .toSorted((a, b) => a.priority - b.priority || b.weight - a.weight)
      .map(({ name, port }) => `${scheme}://${name.replace(/\.$/, "")}:${port}`);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    const reason = REASONS[code] ?? "server misbehaving";
    throw new Error(`lookup ${host} on ${server()}: ${reason}`, { cause: error });
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

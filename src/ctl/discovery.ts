import { EXIT, Exit, lookUpSrv } from "../cli/index.ts";

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

async function lookUp(host: string, scheme: string): Promise<string[]> {
  const records = await lookUpSrv(host);
  return records.map((record) => `${scheme}://${record.host}:${record.port}`);
}

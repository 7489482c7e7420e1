import { lookup, reverse } from "node:dns/promises";
import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";

// What names a certificate vouches for, by Go's rules: only its subject alternative names count.

interface Names {
  readonly dns: readonly string[];
  readonly hasAddresses: boolean;
}

function namesOf({ subjectaltname }: PeerCertificate): Names {
  const names = (subjectaltname ?? "").split(", ");
  return {
    dns: names.filter((name) => name.startsWith("DNS:")).map((name) => name.slice(4)),
    hasAddresses: names.some((name) => name.startsWith("IP Address:")),
  };
}

/** Why a certificate is not one of the host, a name or an address; undefined: it is. */
export function hostProblem(host: string, certificate: PeerCertificate): Error | undefined {
  const { dns, hasAddresses } = namesOf(certificate);
  if (isIP(host) === 0 && dns.length === 0) {
    // Node would look at the common name.
    const why = hasAddresses
      ? "certificate is not valid for any names, but wanted to match"
      : "certificate relies on legacy Common Name field, use SANs instead:";
    return new Error(`tls: ${why} ${host}`);
  }
  return checkServerIdentity(host, certificate);
}

/**
 * Why a certificate is not one of a client at that address; undefined: it is, or it names nobody
 * (etcd: `checkCertSAN`). Names are looked up both ways.
 */
export async function clientProblem(
  address: string,
  certificate: PeerCertificate,
): Promise<Error | undefined> {
  const { dns, hasAddresses } = namesOf(certificate);
  if (hasAddresses) {
    const problem = hostProblem(address, certificate);
    if (problem === undefined || dns.length === 0) return problem;
  }
  if (dns.length === 0 || (await isNamed(address, dns))) return undefined;
  const names = dns.map((name) => JSON.stringify(name)).join(" ");
  return new Error(`tls: "${address}" does not match any of DNSNames [${names}]`);
}

async function isNamed(address: string, dns: readonly string[]): Promise<boolean> {
  const wildcards = dns.filter((name) => name.startsWith("*.")).map((name) => name.slice(1));
  const names = dns.filter((name) => !name.startsWith("*."));
  for (const found of await reverse(address).catch(() => [])) {
    const name = found.replace(/\.$/, "");
    if (names.includes(name) || wildcards.some((end) => name.endsWith(end))) return true;
  }
  for (const name of names) {
    const found = await lookup(name, { all: true }).catch(() => []);
    if (found.some((one) => one.address === address)) return true;
  }
  return false;
}

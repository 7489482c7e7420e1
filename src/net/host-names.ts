import { lookup, reverse } from "node:dns/promises";
import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";

// What names a certificate vouches for, by Go's rules: only its subject alternative names count.

export interface CertificateNames {
  readonly dns: readonly string[];
  readonly addresses: readonly string[];
}

export function namesOf({ subjectaltname }: PeerCertificate): CertificateNames {
  const names = (subjectaltname ?? "").split(", ");
  const after = (prefix: string) =>
    names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  return { dns: after("DNS:"), addresses: after("IP Address:").map(shortAddress) };
}

/** OpenSSL writes addresses of IPv6 in full, and large. */
function shortAddress(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

/** Why a certificate is not one of the host, a name or an address; undefined: it is. */
export function hostProblem(host: string, certificate: PeerCertificate): Error | undefined {
  const { dns, addresses } = namesOf(certificate);
  const isAddress = isIP(host) !== 0;
  // Of one without names Node would look at the common name.
  if (!isAddress && dns.length === 0) return new Error(namelessText(host, certificate));
  if (checkServerIdentity(host, certificate) === undefined) return undefined;
  if (isAddress && addresses.length === 0) {
    const why = "because it doesn't contain any IP SANs";
    return new Error(`x509: cannot validate certificate for ${host} ${why}`);
  }
  const valid = (isAddress ? addresses : dns).join(", ");
  return new Error(`x509: certificate is valid for ${valid}, not ${host}`);
}

function namelessText(host: string, { subject, subjectaltname }: PeerCertificate): string {
  return subjectaltname === undefined && subject?.CN === host
    ? "x509: certificate relies on legacy Common Name field, use SANs instead"
    : `x509: certificate is not valid for any names, but wanted to match ${host}`;
}

/**
 * Why a certificate is not one of a client at that address; undefined: it is, or it names nobody
 * (etcd: `checkCertSAN`). Names are looked up both ways.
 */
export async function clientProblem(
  address: string,
  certificate: PeerCertificate,
): Promise<Error | undefined> {
  const { dns, addresses } = namesOf(certificate);
  if (addresses.length > 0) {
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

/** Those of TLS 1.3 are not to be chosen, in Go as here. */
const OF_TLS_1_3 = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
] as const;

/** Go's names of the suites before, and OpenSSL's; without one, OpenSSL has them no more. */
const OPENSSL_NAMES: Readonly<Record<string, string | undefined>> = {
  ...exchanged("RSA", ""),
  ...exchanged("ECDHE_RSA", "ECDHE-RSA-"),
  ...exchanged("ECDHE_ECDSA", "ECDHE-ECDSA-"),
};

function exchanged(go: string, openssl: string): Record<string, string | undefined> {
  const isStatic = openssl === "";
  return {
    [`TLS_${go}_WITH_AES_128_CBC_SHA`]: `${openssl}AES128-SHA`,
    [`TLS_${go}_WITH_AES_256_CBC_SHA`]: `${openssl}AES256-SHA`,
    [`TLS_${go}_WITH_AES_128_CBC_SHA256`]: `${openssl}AES128-SHA256`,
    [`TLS_${go}_WITH_AES_128_GCM_SHA256`]: `${openssl}AES128-GCM-SHA256`,
    [`TLS_${go}_WITH_AES_256_GCM_SHA384`]: `${openssl}AES256-GCM-SHA384`,
    [`TLS_${go}_WITH_RC4_128_SHA`]: undefined,
    ...(go !== "ECDHE_ECDSA" && { [`TLS_${go}_WITH_3DES_EDE_CBC_SHA`]: undefined }),
    ...(!isStatic && {
      [`TLS_${go}_WITH_CHACHA20_POLY1305`]: `${openssl}CHACHA20-POLY1305`,
      [`TLS_${go}_WITH_CHACHA20_POLY1305_SHA256`]: `${openssl}CHACHA20-POLY1305`,
    }),
  };
}

/**
 * What Node is told, to offer and take these suites of TLS 1.2, by Go's names. With none of them
 * only TLS 1.3 is left. Throws with etcd's text for a name that Go does not know.
 */
export function ciphersOf(suites: readonly string[]): string {
  const names: string[] = [...OF_TLS_1_3];
  for (const suite of suites) {
    if ((OF_TLS_1_3 as readonly string[]).includes(suite)) continue;
    if (!Object.hasOwn(OPENSSL_NAMES, suite)) {
      throw new Error(`unexpected TLS cipher suite ${JSON.stringify(suite)}`);
    }
    const name = OPENSSL_NAMES[suite];
    if (name !== undefined) names.push(name);
  }
  return names.join(":");
}

// How Go words what goes wrong in TLS, from what Node and OpenSSL say of it: operators search for
// those words, and Node's come with advice for other programs.

/** Of the refusal of a certificate. */
const VERIFY_TEXTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "certificate has expired or is not yet valid",
  CERT_NOT_YET_VALID: "certificate has expired or is not yet valid",
  INVALID_PURPOSE: "certificate specifies an incompatible key usage",
};
const UNKNOWN_AUTHORITY = "certificate signed by unknown authority";

const VERIFY_CODE =
  /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_|PATH_LENGTH_|HOSTNAME_MISMATCH|CRL_|UNSPECIFIED)/;

const NO_TLS = "tls: first record does not look like a TLS handshake";

/** By OpenSSL's reasons. */
const TEXTS: Readonly<Record<string, string>> = {
  "peer did not return a certificate": "tls: client didn't provide a certificate",
  "http request": NO_TLS,
  "https proxy request": NO_TLS,
  "wrong version number": NO_TLS,
  "unexpected message": NO_TLS,
  "packet length too long": NO_TLS,
  "unsupported protocol": "tls: client offered only unsupported versions",
  "no shared cipher": "tls: no cipher suite supported by both client and server",
  "data length too long": "tls: oversized record received",
};

/** By their numbers (RFC 8446 §6). */
const ALERTS: Readonly<Record<string, string>> = {
  "10": "unexpected message",
  "20": "bad record MAC",
  "22": "record overflow",
  "40": "handshake failure",
  "42": "bad certificate",
  "43": "unsupported certificate",
  "44": "revoked certificate",
  "45": "expired certificate",
  "46": "unknown certificate",
  "47": "illegal parameter",
  "48": "unknown certificate authority",
  "49": "access denied",
  "50": "error decoding message",
  "51": "error decrypting message",
  "70": "protocol version not supported",
  "71": "insufficient security level",
  "80": "internal error",
  "90": "user canceled",
  "109": "missing extension",
  "110": "unsupported extension",
  "112": "unrecognized name",
  "116": "certificate required",
  "120": "no application protocol",
};

/** Undefined for what TLS has nothing to do with. */
export function tlsText({ code = "", message }: NodeJS.ErrnoException): string | undefined {
  if (VERIFY_CODE.test(code)) return verifyText(code);
  if (message.startsWith("Client network socket disconnected")) return "EOF";
  const reason = /\berror:[0-9A-F]+:SSL routines:[^:]*:([^:]*)/.exec(message)?.[1];
  if (reason === undefined) return undefined;
  const alert = /SSL alert number (\d+)/.exec(message)?.[1];
  if (alert !== undefined) return `remote error: tls: ${ALERTS[alert] ?? `alert(${alert})`}`;
  return TEXTS[reason] ?? `tls: ${reason}`;
}

/** Why a chain of certificates is not trusted, by OpenSSL's name for it. */
export function verifyText(code: string): string {
  return notVerified(`x509: ${VERIFY_TEXTS[code] ?? UNKNOWN_AUTHORITY}`);
}

export const notVerified = (why: string): string => `tls: failed to verify certificate: ${why}`;

import { Fields, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME } from "./der.ts";

// Revocation lists, as DER (RFC 5280 §5.1), as far as is needed to know what they revoke:
//
//   CertificateList  SEQUENCE
//     TBSCertList    SEQUENCE
//       INTEGER?     version
//       SEQUENCE     signature algorithm
//       SEQUENCE     issuer
//       TIME         this update
//       TIME?        next update
//       SEQUENCE?    of SEQUENCE { INTEGER serial, … }
//       [0]?         extensions

const NO_LIST = "not a revocation list";

/** The serial numbers that a list revokes, in lower-case hexadecimal. Throws on what is no list. */
export function revokedSerials(list: Uint8Array): Set<string> {
  const outer = new Fields(list).take(SEQUENCE, NO_LIST);
  const fields = new Fields(new Fields(outer).take(SEQUENCE, NO_LIST));
  if (fields.tag === INTEGER) fields.take(INTEGER, NO_LIST);
  fields.take(SEQUENCE, NO_LIST);
  fields.take(SEQUENCE, NO_LIST);
  while (fields.tag === UTC_TIME || fields.tag === GENERALIZED_TIME) {
    fields.take(fields.tag, NO_LIST);
  }
  const serials = new Set<string>();
  if (fields.tag !== SEQUENCE) return serials;
  const entries = new Fields(fields.take(SEQUENCE, NO_LIST));
  while (entries.tag !== undefined) {
    const entry = new Fields(entries.take(SEQUENCE, NO_LIST));
    serials.add(serialText(entry.take(INTEGER, NO_LIST)));
  }
  return serials;
}

function serialText(bytes: Uint8Array): string {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return normalSerial(digits);
}

/** As certificates print them: without zeros in front. */
export function normalSerial(digits: string): string {
  return digits.toLowerCase().replace(/^0+(?=.)/, "");
}

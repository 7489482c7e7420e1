import type { TlsSettings } from "./tls-identity.ts";

/** Nothing is shown, nobody is asked for anything, and no server trusted. */
export const NO_TLS_FILES: TlsSettings = {
  certFile: "",
  keyFile: "",
  clientCertFile: "",
  clientKeyFile: "",
  trustedCaFile: "",
  clientCertAuth: false,
  crlFile: "",
  allowedNames: [],
  allowedHosts: [],
  trustsAnybody: false,
  skipsClientHosts: false,
  cipherSuites: [],
  minVersion: "TLSv1.2",
  maxVersion: undefined,
};

/**
 * Certificates for tests, valid until 2036: `peer`, `other` and `far` were signed by one authority;
 * `other` has another common name and was revoked, `far` is for another address. `stranger` signed
 * itself, `server`, which is good for servers only, and `named`, which has a name and no address.
 */
export const CERTIFICATES = {
  "ca.crt": pem(
    "CERTIFICATE",
    "MIIBbzCCARWgAwIBAgIUDvht6W288uhItmNVTit/hXYMOMMwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwC" +
      "Y2EwHhcNMjYxMTI2MTYxNzQyWhcNMzYxMTIzMTYxNzQyWjANMQswCQYDVQQDDAJjYTBZMBMGByqGSM49" +
      "AgEGCCqGSM49AwEHA0IABFDNGE/m4sv2NagdTHDXoYUwD7N8e6y880/9y0k52/92aT0HRpBXj2iQk+zK" +
      "YtIH6A3bJrHdrEJEgBhAFbyPPAijUzBRMB0GA1UdDgQWBBTNILRQcgjwJzc33phMC5FiZHnd4DAfBgNV" +
      "HSMEGDAWgBTNILRQcgjwJzc33phMC5FiZHnd4DAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gA" +
      "MEUCIQC2GqKGVETnIqbTDokceAPbJgoAn2YkNyfQ5TrwuNca5AIgfykh0GSNXJW8VrXa1y6WygGUdAlP" +
      "a0mHdUc9WNbBn0I=",
  ),
  "peer.crt": pem(
    "CERTIFICATE",
    "MIIBoDCCAUegAwIBAgIUQQuonxMAKenA2WyoDsAT4s2fJGYwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwC" +
      "Y2EwHhcNMjYxMTI2MTYxNzQyWhcNMzYxMTIzMTYxNzQyWjAVMRMwEQYDVQQDDApwZWVyLnF1b3JkMFkw" +
      "EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4tWk6XlKvdoSspgZcHtuNfxcWhTEgSXk8BDgClL6nIavHM2N" +
      "Tj+laOoYGXO9woRhFOTHM/Tq6jSSMaEvoF8ZbqN9MHswGgYDVR0RBBMwEYcEfwAAAYIJbG9jYWxob3N0" +
      "MB0GA1UdJQQWMBQGCCsGAQUFBwMBBggrBgEFBQcDAjAdBgNVHQ4EFgQUfLOatbRCEZ3kMflecbNS2zVj" +
      "vTgwHwYDVR0jBBgwFoAUzSC0UHII8Cc3N96YTAuRYmR53eAwCgYIKoZIzj0EAwIDRwAwRAIgT//KesjO" +
      "qVBfq6kUH75UAYX2j+b0KD+ucy/vD5qoaCgCIDyeY3PsrTvmyeRdt7r7vlTOMPuV48JCfha4gHgl1Tnb",
  ),
  "peer.key": pem(
    "PRIVATE KEY",
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJIwx/knQjC+ne7yEUJs+0WumxaxTipHY" +
      "bqyIz3XmIM+hRANCAATi1aTpeUq92hKymBlwe241/FxaFMSBJeTwEOAKUvqchq8czY1OP6Vo6hgZc73C" +
      "hGEU5Mcz9OrqNJIxoS+gXxlu",
  ),
  "other.crt": pem(
    "CERTIFICATE",
    "MIIBlzCCAT2gAwIBAgIUQQuonxMAKenA2WyoDsAT4s2fJGcwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwC" +
      "Y2EwHhcNMjYxMTI2MTYxNzQyWhcNMzYxMTIzMTYxNzQyWjAWMRQwEgYDVQQDDAtvdGhlci5xdW9yZDBZ" +
      "MBMGByqGSM49AgEGCCqGSM49AwEHA0IABMcIQXnwusyF1iEjY0ScG1QgDOCEUMzfBdy0Br3O+DB0Pi3t" +
      "Rprs7kpe4tq5aSSIKuE7hH2cOJWi1JQSDX6av1qjcjBwMA8GA1UdEQQIMAaHBH8AAAEwHQYDVR0lBBYw" +
      "FAYIKwYBBQUHAwEGCCsGAQUFBwMCMB0GA1UdDgQWBBRg+Kt+DnuxJJwo83WjuG/IUUHzjjAfBgNVHSME" +
      "GDAWgBTNILRQcgjwJzc33phMC5FiZHnd4DAKBggqhkjOPQQDAgNIADBFAiBqS2rVo3o8tKiVV1eymKkY" +
      "sl2wfwcKQCZlY6KCV0BGkgIhAIYJ+r1+tpk8qjdhGBwsiNgTMHRxLGSZ//AE4S3A5cYd",
  ),
  "other.key": pem(
    "PRIVATE KEY",
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMnbpyRTqbBZcssJBwZztHtWIfAfKFai2" +
      "pS0ALhfa4qKhRANCAATHCEF58LrMhdYhI2NEnBtUIAzghFDM3wXctAa9zvgwdD4t7Uaa7O5KXuLauWkk" +
      "iCrhO4R9nDiVotSUEg1+mr9a",
  ),
  "far.crt": pem(
    "CERTIFICATE",
    "MIIBlDCCATugAwIBAgIUQQuonxMAKenA2WyoDsAT4s2fJGgwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwC" +
      "Y2EwHhcNMjYxMTI2MTYxNzQzWhcNMzYxMTIzMTYxNzQzWjAUMRIwEAYDVQQDDAlmYXIucXVvcmQwWTAT" +
      "BgcqhkjOPQIBBggqhkjOPQMBBwNCAAQAzIbq5FLDBsBZFLxEG/4Q6OU6+YkOi2nAMjNNMI/Oj/HVD91K" +
      "P3tfo5G8NxWfrcBAi05cTvqspKDJYx6x5E/Xo3IwcDAPBgNVHREECDAGhwQKCQkJMB0GA1UdJQQWMBQG" +
      "CCsGAQUFBwMBBggrBgEFBQcDAjAdBgNVHQ4EFgQUX5QxL1jzv2ZwMt+RvKbcPStxMKcwHwYDVR0jBBgw" +
      "FoAUzSC0UHII8Cc3N96YTAuRYmR53eAwCgYIKoZIzj0EAwIDRwAwRAIgMQPwM2wuouBddc4FxFcjBk63" +
      "riX9yH8GAwNP0W4H0v8CIDYtB61ICFh15PviCt0xfpfhVshewUvTgo67wtbWyQSH",
  ),
  "far.key": pem(
    "PRIVATE KEY",
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjDBAlU5c91Pm6DlmavlEm8OrR3JkYmWd" +
      "hD63o9Hdh4ehRANCAAQAzIbq5FLDBsBZFLxEG/4Q6OU6+YkOi2nAMjNNMI/Oj/HVD91KP3tfo5G8NxWf" +
      "rcBAi05cTvqspKDJYx6x5E/X",
  ),
  "stranger.crt": pem(
    "CERTIFICATE",
    "MIIBujCCAV+gAwIBAgIUHcK7yyL1ymjGyqrbEwNlKYeCSMwwCgYIKoZIzj0EAwIwGTEXMBUGA1UEAwwO" +
      "c3RyYW5nZXIucXVvcmQwHhcNMjYxMTI3MDYzMzAxWhcNMzYxMTIzMDYzMzAxWjAZMRcwFQYDVQQDDA5z" +
      "dHJhbmdlci5xdW9yZDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABISiyl4u6g1vJ2SgYOq1f2rv/ivj" +
      "Q71t5NvD/BjwiItbab0bVQkqWLwPL3j1WtovzxSepmptjVb56Y6/JtAk+bCjgYQwgYEwHQYDVR0OBBYE" +
      "FN9YBcVV1+aN0FGIQb17Jui/OwkKMB8GA1UdIwQYMBaAFN9YBcVV1+aN0FGIQb17Jui/OwkKMA8GA1Ud" +
      "EwEB/wQFMAMBAf8wDwYDVR0RBAgwBocEfwAAATAdBgNVHSUEFjAUBggrBgEFBQcDAQYIKwYBBQUHAwIw" +
      "CgYIKoZIzj0EAwIDSQAwRgIhAI8a8G4I55uYzkrbZVVJf0NQHgUz7I105tYTYCJOjJycAiEAv0zfL7Rp" +
      "iOEY9DkEx2TD9ZJ8nbDq8+KxA8ttdu0azJk=",
  ),
  "stranger.key": pem(
    "PRIVATE KEY",
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgpnooT80+C5oZ6DCG9R5P5ygm5yIaCoNA" +
      "9TPXH2yngTWhRANCAASEospeLuoNbydkoGDqtX9q7/4r40O9beTbw/wY8IiLW2m9G1UJKli8Dy949Vra" +
      "L88UnqZqbY1W+emOvybQJPmw",
  ),
  "server.crt": pem(
    "CERTIFICATE",
    "MIIBmzCCAUCgAwIBAgIUI5cuAH4lku6mzjLf7WEZbgDow1gwCgYIKoZIzj0EAwIwGTEXMBUGA1UEAwwO" +
      "c3RyYW5nZXIucXVvcmQwHhcNMjYxMTI3MDYzMzAxWhcNMzYxMTIzMDYzMzAxWjAXMRUwEwYDVQQDDAxz" +
      "ZXJ2ZXIucXVvcmQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQz/tkBeugcWv1sR+7szVU0JOgyIbbN" +
      "+yDF0QuviTE5KfzIZkE/JfTNvhIhGRqPr9uDmrYgfAh8jMNMYzlTe3Njo2gwZjATBgNVHSUEDDAKBggr" +
      "BgEFBQcDATAPBgNVHREECDAGhwR/AAABMB0GA1UdDgQWBBT72uxaBvrXD0n/k0hqWWqgCwoTbTAfBgNV" +
      "HSMEGDAWgBTfWAXFVdfmjdBRiEG9eybovzsJCjAKBggqhkjOPQQDAgNJADBGAiEA4bf7Xkp/MNEJqbFj" +
      "jITok/x6dZ5yFAvpggtehEWUXv8CIQC91whE4KNQAqb+987AQr86J7nCpQS3CUSN7cCSclO9YA==",
  ),
  "server.key": pem(
    "PRIVATE KEY",
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgbMf4/GvxHQepg59/6o5Yfvp8LqwGZXKa" +
      "8UEkb5M45M2hRANCAAQz/tkBeugcWv1sR+7szVU0JOgyIbbN+yDF0QuviTE5KfzIZkE/JfTNvhIhGRqP" +
      "r9uDmrYgfAh8jMNMYzlTe3Nj",
  ),
  "named.crt": pem(
    "CERTIFICATE",
    "MIIBrjCCAVSgAwIBAgIUI5cuAH4lku6mzjLf7WEZbgDow1kwCgYIKoZIzj0EAwIwGTEXMBUGA1UEAwwO" +
      "c3RyYW5nZXIucXVvcmQwHhcNMjYxMTI3MDY0NDI3WhcNMzYxMTIzMDY0NDI3WjAWMRQwEgYDVQQDDAtu" +
      "YW1lZC5xdW9yZDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGW0QTiyG3sg68TfIb1slCn5Up4n/4zG" +
      "+LDikAFGl0KNilnOnUXtLdLKedcBOl4OYDoo3180RwMtdP3kNn/lxXijfTB7MB0GA1UdJQQWMBQGCCsG" +
      "AQUFBwMBBggrBgEFBQcDAjAaBgNVHREEEzARgg8qLnF1b3JkLmludmFsaWQwHQYDVR0OBBYEFJOfyuoc" +
      "RSI0ZJ28vZcEzLZuiUnSMB8GA1UdIwQYMBaAFN9YBcVV1+aN0FGIQb17Jui/OwkKMAoGCCqGSM49BAMC" +
      "A0gAMEUCIQCAkEfLochj1LFrnRQWQzAaplyAlLVnCpDRrZpO3jdvZgIgDYO8KZKg+1jGJanrZy+SI/S9" +
      "8ZJU1bd/lHdpU/y99iA=",
  ),
  "named.key": pem(
    "PRIVATE KEY",
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgw8wJW7JyMuKvwE9J86WLd7BVUQk0eojs" +
      "kpl+BXm7PbyhRANCAARltEE4sht7IOvE3yG9bJQp+VKeJ/+Mxviw4pABRpdCjYpZzp1F7S3SynnXATpe" +
      "DmA6KN9fNEcDLXT95DZ/5cV4",
  ),
  "crl.der": Buffer.from(
    "MIHNMHUCAQEwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCY2EXDTI2MTEyNjE2MTc0NFoXDTM2MTEyMzE2" +
      "MTc0NFowJzAlAhRBC6ifEwAp6cDZbKgOwBPizZ8kZxcNMjYxMTI2MTYxNzQ0WqAOMAwwCgYDVR0UBAMC" +
      "AQEwCgYIKoZIzj0EAwIDSAAwRQIhAILkbA8IXnyiBWQnuFKX9T5PfDtou8lDsVceF/Q4KjMLAiA+2Bip" +
      "WJdf0fqKClfVKD37RPfTZmoBGqSQtvegMUD99w==",
    "base64",
  ),
} as const;

/** The serial number of `other`. */
export const REVOKED_SERIAL = "410ba89f130029e9c0d96ca80ec013e2cd9f2467";

function pem(what: string, base64: string): Buffer {
  return Buffer.from(
    `-----BEGIN ${what}-----\n${base64.replace(/.{64}/g, "$&\n")}\n-----END ${what}-----\n`,
  );
}

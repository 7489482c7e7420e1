import { readFileSync, statSync } from "node:fs";
import type { Socket } from "node:net";
import {
  type ConnectionOptions,
  createSecureContext,
  createServer,
  type DetailedPeerCertificate,
  type PeerCertificate,
  type SecureContext,
  type SecureContextOptions,
  type SecureVersion,
  type Server,
  type TLSSocket,
} from "node:tls";
import { checkKeyPair, readAuthorities } from "./certificates.ts";
import { ciphersOf } from "./cipher-suites.ts";
import { type CertificateNames, clientProblem, hostProblem, namesOf } from "./host-names.ts";
import type { ListenerOptions } from "./listener.ts";
import { carriedBy } from "./reset.ts";
import { normalSerial, revokedSerials } from "./revocation.ts";
import { notVerified, tlsText, verifyText } from "./tls-text.ts";

/** Files and rules of TLS between members (etcd: `transport.TLSInfo`); an empty text is no file. */
export interface TlsSettings {
  readonly certFile: string;
  readonly keyFile: string;
  /** What this side shows where it is the client; without, the same as above. */
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  readonly trustedCaFile: string;
  /** Clients must show a certificate; they must with `trustedCaFile`, too. */
  readonly clientCertAuth: boolean;
  /** Certificates that are not taken any more, in DER. Read at every connection. */
  readonly crlFile: string;
  /** Common names, or hosts, of which the other side's certificate must have one. */
  readonly allowedNames: readonly string[];
  readonly allowedHosts: readonly string[];
  /** Servers may show any certificate: what they say is private, but nobody knows who they are. */
  readonly trustsAnybody: boolean;
  /** Clients may come from elsewhere than their certificates say. */
  readonly skipsClientHosts: boolean;
  /** Suites of TLS 1.2, by Go's names; none of them: the usual ones. */
  readonly cipherSuites: readonly string[];
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion | undefined;
}

/** What the rejection of a connection is told with. */
export interface Rejection {
  readonly address: string;
  /** Whom the client wanted, as far as it said so. */
  readonly serverName: string;
  /** Of the client's certificate, when that is good, but not for here. */
  readonly names: CertificateNames | undefined;
  /** In Go's words. `EOF`: it went away without a word, as those do that only look for ports. */
  readonly reason: string;
}

/** For a handshake (etcd: `tlsHandshakeTimeout`). */
const HANDSHAKE_MS = 10_000;

/**
 * Both ends of TLS for who has a certificate. Files are looked at again at every connection, so
 * that they may be renewed.
 */
export class TlsIdentity {
  readonly #settings: TlsSettings;
  readonly #served: Context;
  readonly #shown: Context;

  constructor(settings: TlsSettings) {
    this.#settings = settings;
    const { certFile, keyFile, clientCertFile, clientKeyFile } = settings;
    this.#served = new Context(settings, certFile, keyFile);
    this.#shown =
      clientCertFile === "" ? this.#served : new Context(settings, clientCertFile, clientKeyFile);
  }

  get hasCertificate(): boolean {
    return this.#settings.certFile !== "" || this.#settings.keyFile !== "";
  }

  /** Throws when there is an unknown one, with etcd's text. */
  checkCiphers(): void {
    ciphersOf(this.#settings.cipherSuites);
  }

  /** Reads all files. Throws when something is wrong with them, with etcd's texts. */
  check(): void {
    if (this.hasCertificate) this.#checkCertificates();
    createSecureContext(this.#served.options());
    createSecureContext(this.#shown.options());
  }

  #checkCertificates(): void {
    const { certFile, keyFile, clientCertFile, clientKeyFile } = this.#settings;
    const { allowedNames, allowedHosts } = this.#settings;
    readKeyPair(certFile, keyFile);
    if ((clientCertFile === "") !== (clientKeyFile === "")) {
      throw new Error(
        "ClientKeyFile and ClientCertFile must both be present or both absent: " +
          `key: ${clientKeyFile}, cert: ${clientCertFile}]`,
      );
    }
    if (clientCertFile !== "") readKeyPair(clientCertFile, clientKeyFile);
    if (allowedNames.length > 0 && allowedHosts.length > 0) {
      const quoted = (texts: readonly string[]) =>
        `[${texts.map((text) => JSON.stringify(text)).join(" ")}]`;
      throw new Error(
        "AllowedCNs and AllowedHostnames are mutually exclusive " +
          `(cns=${quoted(allowedNames)}, hostnames=${quoted(allowedHosts)})`,
      );
    }
  }

  /** The server's end: what a `Listener` is to wrap its connections in. */
  server(onRejected: (rejection: Rejection) => void): NonNullable<ListenerOptions["secure"]> {
    const { trustedCaFile, clientCertAuth } = this.#settings;
    const asks = trustedCaFile !== "" || clientCertAuth;
    return (raw, admit) => {
      const address = addressOf(raw.remoteAddress, raw.remotePort);
      const way = `read tcp ${addressOf(raw.localAddress, raw.localPort)}->${address}`;
      const reject = (reason: string, socket?: TLSSocket, names?: CertificateNames): void => {
        raw.destroy();
        onRejected({ address, serverName: socket?.servername || "", names, reason });
      };
      let server: Server;
      try {
        const options = this.#served.options();
        const handshake = { requestCert: asks, rejectUnauthorized: asks };
        server = createServer({ ...options, ...handshake, handshakeTimeout: HANDSHAKE_MS });
      } catch (error) {
        reject((error as Error).message);
        return;
      }
      server.on("tlsClientError", (error, socket) => {
        reject(handshakeText(error, { socket, way, raw }), socket);
      });
      server.on("secureConnection", (socket) => {
        carriedBy(socket, raw);
        socket.on("error", () => raw.destroy());
        if (!asks) {
          admit(socket, "unknown");
          return;
        }
        // Not later: of a client that is gone by then there is none.
        const certificate = socket.getPeerCertificate(true);
        void this.#refusal(socket, certificate).then((error) => {
          if (error === undefined) admit(socket, "unknown");
          else reject(error.message, socket, namesOf(certificate));
        });
      });
      server.emit("connection", raw);
    };
  }

  /** Why a client is not let in, although its certificate is good. */
  async #refusal(
    socket: TLSSocket,
    certificate: DetailedPeerCertificate,
  ): Promise<Error | undefined> {
    const { crlFile, skipsClientHosts } = this.#settings;
    try {
      if (!this.#isAllowed(certificate)) return NOT_ALLOWED;
      if (!skipsClientHosts) {
        const problem = await clientProblem(socket.remoteAddress ?? "", certificate);
        if (problem !== undefined) return problem;
      }
      return crlFile === "" ? undefined : revocation(crlFile, certificate);
    } catch (error) {
      return error as Error;
    }
  }

  /** The client's end: what `tls.connect` is given besides the address. Throws on bad files. */
  client(): ConnectionOptions {
    return {
      secureContext: this.#shown.secure(),
      rejectUnauthorized: !this.#settings.trustsAnybody,
      checkServerIdentity: (host, certificate) => {
        const problem = hostProblem(host, certificate);
        if (problem !== undefined) return new Error(notVerified(problem.message));
        return this.#isAllowed(certificate) ? undefined : NOT_ALLOWED;
      },
    };
  }

  #isAllowed(certificate: PeerCertificate): boolean {
    const { allowedNames, allowedHosts } = this.#settings;
    if (allowedHosts.length > 0) {
      return allowedHosts.some((host) => hostProblem(host, certificate) === undefined);
    }
    if (allowedNames.length === 0) return true;
    const name: string | string[] | undefined = certificate.subject?.CN;
    return allowedNames.includes((Array.isArray(name) ? name.at(-1) : name) ?? "");
  }
}

/** Why a handshake came to nothing. */
function handshakeText(
  error: NodeJS.ErrnoException,
  { socket, raw, way }: { socket: TLSSocket; raw: Socket; way: string },
): string {
  // A code, and not an error as Node's types have it: with it Node has ended the connection.
  const verdict: unknown = socket.authorizationError;
  if (typeof verdict === "string") return verifyText(verdict);
  if (raw.errored instanceof Error && raw.errored.message === "i/o timeout") {
    return `${way}: i/o timeout`;
  }
  if (error.code !== "ECONNRESET") return tlsText(error) ?? error.message;
  if (error.message !== "socket hang up") return `${way}: read: connection reset by peer`;
  return raw.bytesRead > 0 ? "unexpected EOF" : "EOF";
}

function addressOf(host: string | undefined, port: number | undefined): string {
  if (host === undefined) return "@";
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

const NOT_ALLOWED = new Error("client certificate authentication failed");

/** Whether one of a chain of certificates was revoked. Throws when the list cannot be read. */
function revocation(file: string, certificate: DetailedPeerCertificate): Error | undefined {
  const revoked = revokedSerials(readFileSync(file));
  const seen = new Set<DetailedPeerCertificate>();
  for (let one = certificate; one !== undefined && !seen.has(one); one = one.issuerCertificate) {
    seen.add(one);
    const serial = normalSerial(one.serialNumber ?? "");
    if (revoked.has(serial)) {
      return new Error(`transport: certificate serial ${serial} revoked`);
    }
  }
  return undefined;
}

/** A certificate with its key, read again when either file has changed. */
class Context {
  readonly #settings: TlsSettings;
  readonly #certFile: string;
  readonly #keyFile: string;
  #stamp: string | undefined;
  #options: SecureContextOptions = {};
  #secure: SecureContext | undefined;

  constructor(settings: TlsSettings, certFile: string, keyFile: string) {
    this.#settings = settings;
    this.#certFile = certFile;
    this.#keyFile = keyFile;
  }

  options(): SecureContextOptions {
    const [certFile, keyFile] = [this.#certFile, this.#keyFile];
    const stamp = certFile === "" ? "" : [certFile, keyFile].map(stampOf).join();
    if (stamp === this.#stamp) return this.#options;
    const { trustedCaFile, cipherSuites, minVersion, maxVersion } = this.#settings;
    this.#options = {
      minVersion,
      ...(maxVersion === undefined ? {} : { maxVersion }),
      ...(cipherSuites.length === 0 ? {} : { ciphers: ciphersOf(cipherSuites) }),
      ...(certFile === "" ? {} : readKeyPair(certFile, keyFile)),
      // A list without any trusts nobody: Node's own authorities are for those who give none.
      ...(trustedCaFile === "" ? {} : { ca: readAuthorities(readFile(trustedCaFile)) }),
    };
    this.#secure = undefined;
    this.#stamp = stamp;
    return this.#options;
  }

  secure(): SecureContext {
    const options = this.options();
    return (this.#secure ??= createSecureContext(options));
  }
}

interface KeyPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Throws when the two do not belong together, or one is missing. */
function readKeyPair(certFile: string, keyFile: string): KeyPair {
  if (certFile === "" || keyFile === "") {
    throw new Error(
      `KeyFile and CertFile must both be present[key: ${keyFile}, cert: ${certFile}]`,
    );
  }
  const [cert, key] = [readFile(certFile), readFile(keyFile)];
  checkKeyPair(cert, key);
  return { cert, key };
}

/** What a client of others than members has, as PEM. An empty text is no file. Throws as `check`. */
export function readTlsFiles(files: {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
}): { certificate?: string; key?: string; authorities?: readonly string[] } {
  const { certFile, keyFile, caFile } = files;
  const pair = certFile + keyFile === "" ? undefined : readKeyPair(certFile, keyFile);
  return {
    ...(pair && { certificate: pair.cert.toString(), key: pair.key.toString() }),
    ...(caFile !== "" && { authorities: readAuthorities(readFile(caFile)) }),
  };
}

/** Throws the system's error, with the path. */
function readFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw Object.assign(error as Error, { path: file });
  }
}

function stampOf(file: string): string {
  const { mtimeMs, size, ino } = statSync(file);
  return `${mtimeMs} ${size} ${ino}`;
}

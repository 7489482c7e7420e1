import { MIN_CLUSTER_VERSION, SERVER_VERSION } from "../cluster/index.ts";
import { dialTimeoutMs, type PeerInbox, requestTimeoutMs } from "../member/index.ts";
import { TlsIdentity, type TlsSettings } from "../net/index.ts";
import type { Logger } from "../observe/index.ts";
import { type Meters, Transport } from "../peer/index.ts";
import { refusal } from "./bootstrap.ts";
import type { Config } from "./config.ts";
import { PeerPort } from "./peer-port.ts";
import { tlsProblem } from "./tls-problem.ts";

/** The links of a member to its peers: the ports they come to, and how it goes to them. */
export class Links {
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #identity: TlsIdentity;
  readonly #port: PeerPort;
  readonly #removal = Promise.withResolvers<void>();
  #transport: Transport | undefined;

  constructor(config: Config, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
    this.#identity = new TlsIdentity(config.peerTls);
    const { readTimeoutMs } = config.peerTimes;
    const options = { identity: this.#identity, readTimeoutMs };
    this.#port = new PeerPort(config.listenPeerUrls, logger, options);
  }

  /** Opens the ports, where requests wait for `serve`. Rejects when an address cannot be had. */
  async listen(): Promise<void> {
    this.#check(() => this.#identity.checkCiphers());
    const { peerTls, listenPeerUrls } = this.#config;
    if (this.#identity.hasCertificate) {
      this.#logger.info("starting with peer TLS", {
        "tls-info": tlsText(peerTls),
        "cipher-suites": peerTls.cipherSuites,
      });
    }
    const secure = listenPeerUrls.find(({ protocol }) => /^(https|unixs):$/.test(protocol));
    if (secure !== undefined && !this.#identity.hasCertificate) {
      const where = secure.host || secure.pathname;
      throw refusal(`cannot listen on TLS for ${where}: KeyFile and CertFile are not presented`);
    }
    this.#port.tellPlain();
    this.#check(() => this.#identity.check());
    return this.#port.listen();
  }

  /** With etcd's text. */
  #check(work: () => void): void {
    try {
      work();
    } catch (error) {
      throw refusal(tlsProblem(error as Error));
    }
  }

  /** A member is about to be born: until it serves, it knows of no cluster. */
  tellUnborn(): void {
    this.#port.tellUnborn();
  }

  /** Makes the network of the member behind the inbox. */
  readonly connect = (inbox: PeerInbox): Transport => {
    const { advertisePeerUrls, electionMs, peerTimes } = this.#config;
    const options = {
      peerUrls: advertisePeerUrls,
      version: SERVER_VERSION,
      minClusterVersion: MIN_CLUSTER_VERSION,
      dialTimeoutMs: dialTimeoutMs(electionMs),
      requestTimeoutMs: requestTimeoutMs(electionMs),
      ...peerTimes,
      identity: this.#identity,
      lines: this.#logger,
      onRemoved: this.remove,
    };
    this.#transport = new Transport(options, inbox);
    return this.#transport;
  };

  get meters(): Meters {
    return this.#transport!.meters;
  }

  /** Resolves when the log or another member says that this one is a member no more. */
  get removed(): Promise<void> {
    return this.#removal.promise;
  }

  readonly remove = (): void => this.#removal.resolve();

  /** From here on peers are answered. */
  serve(): void {
    this.#port.serve(this.#transport!);
  }

  /** Accepts no more. */
  stop(): void {
    this.#port.stop();
  }

  /** Ends every connection that peers have opened; the member ends its own. */
  close(): void {
    this.#port.close();
  }
}

/** As etcd prints it. */
function tlsText(tls: TlsSettings): string {
  return (
    `cert = ${tls.certFile}, key = ${tls.keyFile}, client-cert=${tls.clientCertFile}, ` +
    `client-key=${tls.clientKeyFile}, trusted-ca = ${tls.trustedCaFile}, ` +
    `client-cert-auth = ${tls.clientCertAuth}, crl-file = ${tls.crlFile}`
  );
}

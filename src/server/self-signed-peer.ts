import { mkdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { selfSign, type TlsSettings } from "../net/index.ts";
import type { Logger } from "../observe/index.ts";
import type { Config } from "./config.ts";
import { FlagError } from "./flags.ts";
import { tlsProblem } from "./tls-problem.ts";

const YEAR_MS = 365 * 24 * 3600 * 1000;

/**
 * TLS between members as the settings have it. With `--peer-auto-tls`, and without a certificate,
 * it is with one that the member makes for itself when it starts for the first time: what goes over
 * the wire cannot be read, but nobody knows who is at its other end (etcd: `PeerSelfCert`). Throws
 * FlagError.
 */
export function peerTlsOf(config: Config, logger: Logger): TlsSettings {
  const { peerTls, peerAutoTls } = config;
  if (peerAutoTls === undefined) return peerTls;
  if (peerTls.certFile !== "" || peerTls.keyFile !== "") {
    logger.warn("ignoring peer auto TLS since certs given");
    return peerTls;
  }
  try {
    const { certFile, keyFile } = selfSigned(config, peerAutoTls.years, logger);
    const shown = { clientCertFile: certFile, clientKeyFile: keyFile };
    return { ...peerTls, certFile, keyFile, ...shown, trustsAnybody: true };
  } catch (error) {
    const reason = tlsProblem(error as Error);
    throw new FlagError("failed to get peer self-signed certs", "conflict", { error: reason });
  }
}

function selfSigned(config: Config, years: number, logger: Logger) {
  if (years === 0) {
    const error = "selfSignedCertValidity is invalid,it should be greater than 0";
    logger.warn("cannot generate cert", { error });
    throw new Error(error);
  }
  const folder = resolve(config.dataDir, "fixtures", "peer");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
  if (isThere(files.certFile) && isThere(files.keyFile)) return files;
  const from = new Date();
  const until = new Date(from.getTime() + years * YEAR_MS);
  logger.warn("automatically generate certificates", {
    "certificate-validity-bound-not-after": until.toISOString(),
  });
  const hosts = config.listenPeerUrls.map(hostOf).filter((host) => host !== "");
  const { cert, key } = selfSign({ hosts, from, until });
  write(files.certFile, cert, 0o644);
  logger.info("created cert file", { path: files.certFile });
  write(files.keyFile, key, 0o600);
  logger.info("created key file", { path: files.keyFile });
  return files;
}

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, "");

const isThere = (file: string): boolean => statSync(file, { throwIfNoEntry: false }) !== undefined;

/** Whole or not at all: a part of it would end every start from then on. */
function write(file: string, text: string, mode: number): void {
  const unfinished = `${file}.tmp`;
  writeFileSync(unfinished, text, { mode, flush: true });
  renameSync(unfinished, file);
}

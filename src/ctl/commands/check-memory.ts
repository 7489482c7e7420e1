import { request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";
import { readFile } from "node:fs/promises";
import { networkErrorText, quoteText } from "../../base/index.ts";
import type { Ctl } from "../ctl.ts";

const METRIC = "process_resident_memory_bytes";

/** Bytes of memory that a server has resident, as it says; 0, and a line that says why, if not. */
export async function residentBytes(ctl: Ctl, endpoint: string): Promise<number> {
  const url = `${/^https?:\/\//.test(endpoint) ? "" : "http://"}${endpoint}/metrics`;
  try {
    const page = await fetchPage(url, await tlsOptions(ctl, url));
    const line = page.split("\n").find((text) => text.startsWith(METRIC));
    const value = line?.slice(METRIC.length).trim() ?? "";
    if (value === "") ctl.out(`could not find: ${METRIC}\n`);
    return Number(value);
  } catch (error) {
    ctl.out(`${(error as Error).message}\n`);
    return 0;
  }
}

interface TlsOptions {
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly rejectUnauthorized?: boolean;
  readonly ca?: Buffer;
}

async function tlsOptions(ctl: Ctl, url: string): Promise<TlsOptions> {
  if (!url.startsWith("https://")) return {};
  const { cert, key, cacert, "insecure-skip-tls-verify": unverified } = ctl.flags;
  try {
    return {
      ...(cert === "" ? {} : { cert: await readFile(cert), key: await readFile(key) }),
      ...(cacert === "" ? {} : { ca: await readFile(cacert) }),
      rejectUnauthorized: !unverified,
    };
  } catch (error) {
    throw new Error(`client certificate error: ${(error as Error).message}`, { cause: error });
  }
}

function fetchPage(url: string, tls: TlsOptions): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (error: NodeJS.ErrnoException) =>
    reject(new Error(`fetch error: Get ${quoteText(url)}: ${networkErrorText(error)}`));
  const request = url.startsWith("https://") ? secureRequest(url, tls) : plainRequest(url);
  request.on("error", fail);
  request.on("response", (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("end", () => resolve(Buffer.concat(chunks).toString()));
    response.on("error", fail);
  });
  request.end();
  return promise;
}

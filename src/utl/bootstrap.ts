import { lookup } from "node:dns/promises";
import { quoteText, urlProblem } from "../base/index.ts";
import { EXIT, Exit } from "../cli/index.ts";
import { type Member, parseUrlsMap } from "../cluster/index.ts";
import { clusterId, memberId } from "../keys/index.ts";
import type { Utl } from "./utl.ts";

export interface BootstrapOptions {
  readonly name: string;
  /** `name=url,name=url`. */
  readonly initialCluster: string;
  readonly token: string;
  readonly advertisedPeerUrls: readonly string[];
}

/** The cluster that a restored member is a part of. */
export interface Founding {
  readonly clusterId: bigint;
  readonly self: Member;
  /** Ascending by id. */
  readonly members: readonly Member[];
}

/** Checks the options against each other as a member does that starts a cluster. Throws `Exit`. */
export async function foundCluster(utl: Utl, options: BootstrapOptions): Promise<Founding> {
  const advertised = checkUrls(options.advertisedPeerUrls);
  const byName = new Map(
    [...parseUrlsMap(options.initialCluster)].map(([name, urls]) => [name, checkUrls(urls)]),
  );
  const own = byName.get(options.name);
  if (own === undefined) {
    const name = quoteText(options.name);
    refuse(`couldn't find local name ${name} in the initial cluster configuration`);
  }
  await checkAdvertised(utl, options.name, advertised, own);
  const all = [...byName.values()].flat();
  if (new Set(all).size < all.length) {
    refuse(`initial cluster ${clusterText(byName)} has duplicate url`);
  }
  const members = [...byName]
    .map(([name, peerUrls]) => founder(name, peerUrls, options.token))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return {
    clusterId: clusterId(members.map((member) => member.id)),
    self: members.find((member) => member.name === options.name)!,
    members,
  };
}

function refuse(message: string): never {
  throw new Exit(EXIT.error, message);
}

function founder(name: string, peerUrls: readonly string[], token: string): Member {
  return { id: memberId(peerUrls, token), name, peerUrls, clientUrls: [], isLearner: false };
}

/** Trimmed and sorted, each of a form that a peer can have. Throws `Exit`. */
function checkUrls(urls: readonly string[]): string[] {
  for (const url of urls) {
    const problem = urlProblem(url);
    if (problem !== undefined) refuse(problem);
  }
  return urls.map((url) => url.trim()).toSorted();
}

/** The advertised URLs must be those of the list, perhaps by other names of the same hosts. */
async function checkAdvertised(
  utl: Utl,
  name: string,
  advertised: readonly string[],
  listed: readonly string[],
): Promise<void> {
  const difference = await findDifference(utl, advertised, listed);
  if (difference === undefined) return;
  const notAdvertised = listed.filter((url) => !advertised.includes(url));
  if (notAdvertised.length > 0) {
    const missing = notAdvertised.map((url) => `${name}=${url}`).join(",");
    const flag = `--initial-advertise-peer-urls=${advertised.join(",")}`;
    refuse(`--initial-cluster has ${missing} but missing from ${flag} (${difference})`);
  }
  const notListed = advertised.filter((url) => !listed.includes(url)).join(",");
  const flag = `--initial-cluster=${advertised.map((url) => `${name}=${url}`).join(",")}`;
  refuse(`--initial-advertise-peer-urls has ${notListed} but missing from ${flag}`);
}

/** Undefined when both lists lead to the same addresses. */
async function findDifference(
  utl: Utl,
  advertised: readonly string[],
  listed: readonly string[],
): Promise<string | undefined> {
  if (advertised.length !== listed.length) {
    return `len(${quoteAll(advertised)}) != len(${quoteAll(listed)})`;
  }
  if (advertised.join() === listed.join()) return undefined;
  const here = await resolveAll(utl, advertised);
  const there = await resolveAll(utl, listed);
  const at = here.findIndex((url, i) => url !== there[i]);
  if (at < 0) return undefined;
  return `resolved urls: ${quoteText(here[at]!)} != ${quoteText(there[at]!)}`;
}

const quoteAll = (urls: readonly string[]) => `[${urls.map(quoteText).join(" ")}]`;

async function resolveAll(utl: Utl, urls: readonly string[]): Promise<string[]> {
  const resolved: string[] = [];
  for (const url of urls) resolved.push(await resolveHost(utl, url));
  return resolved.toSorted();
}

/** `localhost` stays as it is: it means something else on each machine. */
async function resolveHost(utl: Utl, url: string): Promise<string> {
  const match = /^(https?:\/\/)(([^[\]:]+)(:.*))$/.exec(url);
  const [, scheme, host, name, port] = match ?? [];
  if (name === undefined || name === "localhost") return url;
  const found = await lookup(name, { family: 4 }).catch(() => undefined);
  if (found === undefined) return url;
  const address = `${found.address}${port}`;
  const fields = { url, host, "resolved-addr": address };
  utl.log("netutil/netutil.go:112", "resolved URL Host", fields);
  return `${scheme}${address}`;
}

function clusterText(byName: ReadonlyMap<string, readonly string[]>): string {
  const pairs = [...byName].flatMap(([name, urls]) => urls.map((url) => `${name}=${url}`));
  return pairs.toSorted().join(",");
}

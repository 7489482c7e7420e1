import { urlProblem } from "../cli/index.ts";
import { parseUrlsMap, type UrlsMap } from "../cluster/index.ts";
import { quoteText } from "../base/index.ts";
import type { Config } from "./config.ts";
import { FlagError } from "./flags.ts";

/**
 * Whether a new member may be made from these settings. A directory that has a member knows all
 * this itself. Throws FlagError with etcd's texts.
 */
export function checkBootstrap(config: Config): void {
  if (config.initialClusterState === "existing") {
    throw refusal(
      "joining an existing cluster (--initial-cluster-state=existing) is not supported yet",
    );
  }
  const members = parseUrlsMap(config.initialCluster);
  for (const url of [...members.values()].flat()) {
    const problem = urlProblem(url);
    if (problem !== undefined) throw refusal(`error setting up initial cluster: ${problem}`);
  }
  const own = members.get(config.name);
  if (own === undefined) {
    const name = quoteText(config.name);
    throw refusal(`couldn't find local name ${name} in the initial cluster configuration`);
  }
  checkOwnUrls(config, own);
  checkUnique(members);
}

const refusal = (message: string): FlagError => new FlagError(message, "start");

/** What the cluster is told of this member must be what the member says of itself. */
function checkOwnUrls({ name, advertisePeerUrls: said }: Config, own: readonly string[]): void {
  const named = (urls: readonly string[]) => urls.map((url) => `${name}=${url}`).join(",");
  const why =
    said.length === own.length
      ? `resolved urls: ${quoteText(said[0]!)} != ${quoteText(own[0]!)}`
      : `len(${quoteList(said)}) != len(${quoteList(own)})`;
  const unsaid = own.filter((url) => !said.includes(url));
  if (unsaid.length > 0) {
    throw refusal(
      `--initial-cluster has ${named(unsaid)} but missing from ` +
        `--initial-advertise-peer-urls=${said.join(",")} (${why})`,
    );
  }
  const unnamed = said.filter((url) => !own.includes(url));
  if (unnamed.length === 0) return;
  throw refusal(
    `--initial-advertise-peer-urls has ${unnamed.join(",")} but missing from ` +
      `--initial-cluster=${named(said)}`,
  );
}

const quoteList = (texts: readonly string[]): string => `[${texts.map(quoteText).join(" ")}]`;

function checkUnique(members: UrlsMap): void {
  const urls = [...members.values()].flat();
  if (new Set(urls).size === urls.length) return;
  const pairs = [...members].flatMap(([name, own]) => own.map((url) => `${name}=${url}`));
  throw refusal(`initial cluster ${pairs.toSorted().join(",")} has duplicate url`);
}

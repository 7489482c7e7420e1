import { urlProblem } from "../base/index.ts";
import {
  hasDuplicateUrl,
  localNameProblem,
  parseUrlsMap,
  type UrlsMap,
  urlsMapText,
} from "../cluster/index.ts";
import type { LogLines } from "../member/index.ts";
import type { Config } from "./config.ts";
import { FlagError } from "./flags.ts";
import { whyUrlsDiffer } from "./same-urls.ts";

/** Why no member can be made of the settings, in etcd's words. */
export const refusal = (message: string): FlagError => new FlagError(message, "start");

/** The members that a text such as `--initial-cluster` names. Throws FlagError. */
export function readNames(text: string): UrlsMap {
  const names = parseUrlsMap(text);
  for (const url of [...names.values()].flat()) {
    const problem = urlProblem(url);
    if (problem !== undefined) throw refusal(`error setting up initial cluster: ${problem}`);
  }
  return names;
}

/**
 * Whether these members may begin a cluster, this one among them (etcd: `VerifyBootstrap`). Throws
 * FlagError.
 */
export async function checkFounding(
  config: Config,
  names: UrlsMap,
  lines: LogLines,
): Promise<void> {
  checkLocalName(config, names);
  await checkOwnUrls(config, names.get(config.name)!, lines);
  checkUnique(names);
}

/** The same for members of a cluster that is there (etcd: `VerifyJoinExisting`). */
export function checkJoining(config: Config, names: UrlsMap): void {
  checkLocalName(config, names);
  checkUnique(names);
  if (config.discovery === undefined) return;
  throw refusal("discovery URL should not be set when joining existing initial cluster");
}

function checkLocalName({ name }: Config, names: UrlsMap): void {
  const problem = localNameProblem(names, name);
  if (problem !== undefined) throw refusal(problem);
}

/** What the cluster is told of this member must be what the member says of itself. */
async function checkOwnUrls(
  { name, advertisePeerUrls: said }: Config,
  own: readonly string[],
  lines: LogLines,
): Promise<void> {
  const why = await whyUrlsDiffer(said.toSorted(), own, { lines });
  if (why === undefined) return;
  const named = (urls: readonly string[]) => urls.map((url) => `${name}=${url}`).join(",");
  const sorted = said.toSorted().join(",");
  const unsaid = own.filter((url) => !said.includes(url));
  if (unsaid.length > 0) {
    throw refusal(
      `--initial-cluster has ${named(unsaid)} but missing from ` +
        `--initial-advertise-peer-urls=${sorted} (${why})`,
    );
  }
  const unnamed = said.filter((url) => !own.includes(url));
  if (unnamed.length > 0) {
    throw refusal(
      `--initial-advertise-peer-urls has ${unnamed.join(",")} but missing from ` +
        `--initial-cluster=${named(said)}`,
    );
  }
  throw refusal(`failed to resolve ${sorted} to match --initial-cluster=${named(said)} (${why})`);
}

function checkUnique(names: UrlsMap): void {
  if (!hasDuplicateUrl(names)) return;
  throw refusal(`initial cluster ${urlsMapText(names)} has duplicate url`);
}

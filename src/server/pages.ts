import { SERVER_VERSION } from "../cluster/index.ts";
import {
  errorPage,
  type Page,
  type PageMaker,
  type Pages,
  type RequestHead,
} from "../http/index.ts";
import type { Member } from "../member/index.ts";
import type { Logger } from "../observe/index.ts";
import { debugVars } from "./debug-vars.ts";
import { Health } from "./health.ts";
import type { Metrics } from "./metrics.ts";
import { findProfile, PROFILES_FOLDER } from "./profiles.ts";
import { Probes } from "./probes.ts";

type Make = PageMaker["make"];
type NewMetrics = (tallies: { probes: Probes; health: Health }) => Metrics;

/** Pages that every port with HTTP has: health and metrics. */
export class MetricsPages implements Pages {
  readonly folders: readonly string[] = [];
  readonly probes: Probes;
  readonly health: Health;
  readonly #newMetrics: NewMetrics;
  #metrics: Metrics | undefined;

  constructor(member: Member, logger: Logger, newMetrics: NewMetrics) {
    this.probes = new Probes(member, logger);
    this.health = new Health(member, logger);
    this.#newMetrics = newMetrics;
  }

  find(path: string): PageMaker | undefined {
    if (path === "/health") return getOnly((head) => this.health.page(head));
    if (path === "/metrics") return { isGetOnly: false, make: (head) => this.#page(head) };
    return this.probes.find(path);
  }

  /** The first to ask has the tables made. */
  #page(head: RequestHead): Promise<Page> {
    this.#metrics ??= this.#newMetrics({ probes: this.probes, health: this.health });
    return this.#metrics.page(head);
  }
}

/** The pages of the client ports. */
export class ClientPages implements Pages {
  readonly folders: readonly string[];
  readonly #member: Member;
  readonly #common: MetricsPages;

  constructor(options: { member: Member; common: MetricsPages; hasProfiles: boolean }) {
    this.#member = options.member;
    this.#common = options.common;
    this.folders = options.hasProfiles ? [PROFILES_FOLDER] : [];
  }

  find(path: string): PageMaker | undefined {
    if (path === "/version") return getOnly(async () => this.#version());
    if (path === "/debug/vars") return getOnly(async () => debugVars(this.#member));
    if (this.folders.some((folder) => path.startsWith(folder))) {
      return findProfile(path) ?? { isGetOnly: false, make: async () => UNKNOWN_PROFILE };
    }
    return this.#common.find(path);
  }

  #version(): Page {
    const { members } = this.#member.state;
    const versions = {
      etcdserver: SERVER_VERSION,
      etcdcluster: members.version || "not_decided",
      storage: members.storageVersion || "unknown",
    };
    const fields = { "Content-Type": "application/json" };
    return { status: 200, fields, body: JSON.stringify(versions) };
  }
}

function getOnly(make: Make): PageMaker {
  return { isGetOnly: true, make };
}

const UNKNOWN_PROFILE = errorPage(404, "Unknown profile");

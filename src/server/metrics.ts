import type { GrpcServer, Page, RequestHead } from "../http/index.ts";
import type { MethodStats } from "../grpc/index.ts";
import type { Member } from "../member/index.ts";
import type { WatchHub } from "../mvcc/index.ts";
import { type Family, type LoopMeter, metricsPage } from "../observe/index.ts";
import { authRevision, type ClientRequests } from "../rpc/index.ts";
import type { Meters } from "../peer/index.ts";
import { idToHex } from "../cluster/index.ts";
import type { Config } from "./config.ts";
import type { MemoryGauge } from "./memory.ts";
import { etcdFamilies } from "./metrics-etcd.ts";
import { networkFamilies } from "./metrics-network.ts";
import { grpcFamilies } from "./metrics-grpc.ts";
import { ownFamilies } from "./metrics-own.ts";
import { type Process, processFamilies, readProcess } from "./metrics-process.ts";
import type { Health } from "./health.ts";
import type { Probes } from "./probes.ts";

/** What the metrics are read from. */
export interface Sources {
  readonly member: Member;
  readonly network: Meters;
  readonly grpc: GrpcServer;
  readonly hub: WatchHub;
  readonly requests: ClientRequests;
  readonly loop: LoopMeter;
  readonly memory: MemoryGauge;
  readonly stats: ReadonlyMap<string, MethodStats>;
  readonly probes: Probes;
  readonly health: Health;
  readonly config: Config;
}

const TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

/** `/metrics`: etcd's names for what quord has, and some of its own. Everything is read when asked. */
export class Metrics {
  readonly #families: readonly Family[];
  readonly #member: Member;
  #authRevision = 1;
  #process: Process | undefined;
  #inFlight = 0;
  #served = 0;

  constructor(sources: Sources) {
    this.#member = sources.member;
    const families = [
      ...etcdFamilies({ ...sources, authRevision: () => this.#authRevision }),
      ...grpcFamilies(sources),
      ...ownFamilies(sources),
      ...networkFamilies({
        meters: sources.network,
        localId: idToHex(sources.member.ids.memberId),
      }),
      ...processFamilies(() => this.#process!),
      ...this.#pageFamilies(),
    ];
    this.#families = families.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get families(): readonly Family[] {
    return this.#families;
  }

  async page(head: RequestHead): Promise<Page> {
    this.#process = await readProcess();
    this.#authRevision = await this.#member.slicer.retry(() => authRevision(this.#member));
    const body = this.#body();
    if (!accepts(head.field("accept-encoding"), "gzip")) {
      return { status: 200, fields: { "Content-Type": TYPE }, body };
    }
    const fields = { "Content-Type": TYPE, "Content-Encoding": "gzip" };
    return { status: 200, fields, body: await gzipped(body) };
  }

  *#body(): Generator<string, void> {
    this.#inFlight++;
    try {
      yield* metricsPage(this.#families);
      this.#served++;
    } finally {
      this.#inFlight--;
    }
  }

  #pageFamilies(): Family[] {
    const codes = () => [
      [{ code: "200" }, this.#served] as const,
      [{ code: "500" }, 0] as const,
      [{ code: "503" }, 0] as const,
    ];
    return [
      {
        name: "promhttp_metric_handler_requests_in_flight",
        type: "gauge",
        help: "Current number of scrapes being served.",
        samples: () => [[{}, this.#inFlight]],
      },
      {
        name: "promhttp_metric_handler_requests_total",
        type: "counter",
        help: "Total number of scrapes by HTTP status code.",
        samples: codes,
      },
    ];
  }
}

function accepts(field: string | undefined, encoding: string): boolean {
  return (field ?? "").split(",").some((part) => {
    const [name = "", weight = ""] = part.split(";");
    return name.trim() === encoding && !/q\s*=\s*0(\.0*)?\s*$/.test(weight);
  });
}

/** Compressed in a thread of its own; the parts are made between. */
async function gzipped(parts: Iterable<string>): Promise<Iterator<Uint8Array, void>> {
  const { createGzip } = process.getBuiltinModule("node:zlib");
  const { Readable } = process.getBuiltinModule("node:stream");
  const chunks: Uint8Array[] = [];
  for await (const chunk of Readable.from(parts).pipe(createGzip())) chunks.push(chunk);
  return chunks.values();
}

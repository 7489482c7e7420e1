import type { CallHandler } from "../grpc/index.ts";
import { Access, Gateway, type WebOptions } from "../http/index.ts";
import type { Logger } from "../observe/index.ts";
import { GRPC_OVERHEAD_BYTES } from "./config.ts";
import { Metrics, type Sources } from "./metrics.ts";
import { ClientPages, MetricsPages } from "./pages.ts";

export interface WebParts {
  /** What the metrics are read from, without what these pages count themselves. */
  readonly sources: Omit<Sources, "probes" | "health">;
  readonly onCall: CallHandler;
  readonly logger: Logger;
  readonly onError: (error: unknown) => void;
}

/** What HTTP serves: for clients, and on ports for metrics alone. */
export function newWebs(parts: WebParts): { client: WebOptions; metrics: WebOptions } {
  const { sources, onCall, logger, onError } = parts;
  const { member, config, stats } = sources;
  const newMetrics = (tallies: Pick<Sources, "probes" | "health">) =>
    new Metrics({ ...sources, ...tallies });
  const common = new MetricsPages(member, logger, newMetrics);
  const gateway = config.hasGateway
    ? new Gateway({
        onCall,
        stats,
        messageBytesMax: config.requestBytesMax + GRPC_OVERHEAD_BYTES,
      })
    : undefined;
  const client: WebOptions = {
    pages: new ClientPages({ member, common, hasProfiles: config.hasPprof }),
    gateway,
    access: new Access(config),
    onError,
    onRefused: (host) =>
      logger.warn("rejecting HTTP request to prevent DNS rebinding attacks", { host }),
  };
  return { client, metrics: { pages: common, onError } };
}

import type { Family, Sample } from "../observe/index.ts";
import type { Sources } from "./metrics.ts";
import { QUORD_VERSION } from "./version.ts";

/** What etcd has no name for. */
export function ownFamilies({ member, grpc, loop, memory }: Sources): Family[] {
  const gauge = (name: string, help: string, value: () => number): Family => ({
    name,
    type: "gauge",
    help,
    samples: () => [[{}, value()]],
  });
  return [
    {
      name: "quord_build_info",
      type: "gauge",
      help: "Version of quord and of the Node.js that runs it.",
      samples: () => [[{ version: QUORD_VERSION, node: process.versions.node }, 1]],
    },
    {
      name: "quord_loop_turn_cpu_seconds",
      type: "histogram",
      help: "CPU time of the main thread in one turn of the event loop.",
      samples: () => [[{}, loop.turns]],
    },
    {
      name: "quord_gc_pause_seconds",
      type: "histogram",
      help: "Pauses of the garbage collector.",
      samples: () => [...loop.pauses].map(([kind, pauses]): Sample => [{ kind }, pauses]),
    },
    gauge("quord_leases", "Leases that exist.", () => member.state.lessor.size),
    gauge("quord_client_connections", "HTTP/2 connections of clients.", () => grpc.connections),
    gauge("quord_open_calls", "gRPC calls that are open.", () => grpc.openCalls),
    {
      name: "quord_requests_shed_total",
      type: "counter",
      help: "Requests refused because memory was scarce.",
      samples: () => [[{}, memory.shed]],
    },
  ];
}

import { codeName, type MethodStats } from "../grpc/index.ts";
import type { Family, Labels, Sample } from "../observe/index.ts";
import type { Sources } from "./metrics.ts";

/** Shown once they were called; etcd shows the others from the start. */
const SHOWN_LATER = /^\/v3(lock|election)pb\./;

/** The metrics of grpc-prometheus, one series for each method. */
export function grpcFamilies({ stats }: Sources): Family[] {
  const shown = () =>
    [...stats.values()].filter(({ path, started }) => started > 0 || !SHOWN_LATER.test(path));
  const counter = (name: string, help: string, value: (method: MethodStats) => number): Family => ({
    name,
    type: "counter",
    help,
    samples: () => shown().map((method) => [labelsOf(method), value(method)]),
  });
  return [
    counter(
      "grpc_server_started_total",
      "Total number of RPCs started on the server.",
      (method) => method.started,
    ),
    counter(
      "grpc_server_msg_received_total",
      "Total number of RPC stream messages received on the server.",
      (method) => method.messagesReceived,
    ),
    counter(
      "grpc_server_msg_sent_total",
      "Total number of gRPC stream messages sent by the server.",
      (method) => method.messagesSent,
    ),
    {
      name: "grpc_server_handled_total",
      type: "counter",
      help: "Total number of RPCs completed on the server, regardless of success or failure.",
      samples: () => shown().flatMap(handledSamples),
    },
    {
      name: "grpc_server_handling_seconds",
      type: "histogram",
      help:
        "Histogram of response latency (seconds) of gRPC that had been application-level handled " +
        "by the server.",
      samples: function* (): Iterable<Sample> {
        for (const method of shown()) {
          if (method.handling !== undefined) yield [labelsOf(method), method.handling];
        }
      },
    },
  ];
}

function labelsOf({ path, type }: MethodStats): Labels {
  const [, service = "", method = ""] = path.split("/");
  return { grpc_method: method, grpc_service: service, grpc_type: type };
}

function handledSamples(method: MethodStats): Sample[] {
  const labels = labelsOf(method);
  return Array.from(method.handled, (count, code) => [
    { grpc_code: codeName(code), ...labels },
    count,
  ]);
}

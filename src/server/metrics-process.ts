import { readFile } from "node:fs/promises";
import type { Family } from "../observe/index.ts";
import { fileLimit, openFiles } from "./process-files.ts";

/** What the system says of this process. Undefined where it says nothing. */
export interface Process {
  readonly filesMax: number | undefined;
  readonly files: number | undefined;
  readonly virtualBytes: number | undefined;
  readonly receivedBytes: number | undefined;
  readonly sentBytes: number | undefined;
}

export async function readProcess(): Promise<Process> {
  const [filesMax, files, status, network] = await Promise.all([
    fileLimit(),
    openFiles(),
    readFile("/proc/self/status", "latin1").catch(() => ""),
    readFile("/proc/self/net/netstat", "latin1").catch(() => ""),
  ]);
  const virtual = /^VmSize:\s+(\d+) kB/m.exec(status);
  return {
    filesMax,
    files,
    virtualBytes: virtual === null ? undefined : Number(virtual[1]) * 1024,
    receivedBytes: octets(network, "InOctets"),
    sentBytes: octets(network, "OutOctets"),
  };
}

/** A value of the second line that begins with `IpExt:`, found by the names in the first. */
function octets(netstat: string, name: string): number | undefined {
  const [names, values] = netstat.split("\n").filter((line) => line.startsWith("IpExt:"));
  const at = names?.split(" ").indexOf(name) ?? -1;
  return at < 0 ? undefined : Number(values!.split(" ")[at]);
}

/** As client_golang writes "no limit". */
const NO_LIMIT = 2 ** 64;

type Value = number | undefined;

/** Names that every program with Prometheus's own client has, and etcd's of open files. */
export function processFamilies(latest: () => Process): Family[] {
  const row = (type: "counter" | "gauge") => (name: string, help: string, value: () => Value) => {
    const samples = (): [Record<string, string>, number][] => {
      const now = value();
      return now === undefined ? [] : [[{}, now]];
    };
    return { name, type, help, samples };
  };
  const [counter, gauge] = [row("counter"), row("gauge")];
  return [
    gauge("os_fd_limit", "The file descriptor limit.", () => latest().filesMax),
    gauge("os_fd_used", "The number of used file descriptors.", () => latest().files),
    counter(
      "process_cpu_seconds_total",
      "Total user and system CPU time spent in seconds.",
      cpuSeconds,
    ),
    gauge("process_max_fds", "Maximum number of open file descriptors.", () => latest().filesMax),
    counter(
      "process_network_receive_bytes_total",
      "Number of bytes received by the process over the network.",
      () => latest().receivedBytes,
    ),
    counter(
      "process_network_transmit_bytes_total",
      "Number of bytes sent by the process over the network.",
      () => latest().sentBytes,
    ),
    gauge("process_open_fds", "Number of open file descriptors.", () => latest().files),
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.", () =>
      process.memoryUsage.rss(),
    ),
    gauge(
      "process_start_time_seconds",
      "Start time of the process since unix epoch in seconds.",
      () => Math.round(performance.timeOrigin) / 1000,
    ),
    gauge(
      "process_virtual_memory_bytes",
      "Virtual memory size in bytes.",
      () => latest().virtualBytes,
    ),
    gauge(
      "process_virtual_memory_max_bytes",
      "Maximum amount of virtual memory available in bytes.",
      () => NO_LIMIT,
    ),
  ];
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

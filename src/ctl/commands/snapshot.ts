import { open, rename, rm } from "node:fs/promises";
import { errnoText, formatDuration } from "../../base/index.ts";
import { EXIT, Exit, formatBytes, Progress } from "../../cli/index.ts";
import type { Client, Deadline, MessageStream } from "../../client/index.ts";
import type { api } from "../../proto/index.ts";
import type { Ctl } from "../ctl.ts";
import { badArgs, define, defineSub } from "../define.ts";
import { type LogEntry, logLine } from "../log-line.ts";

const SHA256_BYTES = 32;
const SECTOR_BYTES = 512;

const example = `  # Save snapshot to a given file
  quordctl snapshot save /backup/etcd-snapshot.db
  
  # Get snapshot from given address and save it to file
  quordctl snapshot save --endpoints=127.0.0.1:3000 /backup/etcd-snapshot.db
  
  # Get snapshot from given address with certificates
  quordctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/ca.crt --cert=/etc/etcd/etcd.crt --key=/etc/etcd/etcd.key snapshot save /backup/etcd-snapshot.db
  
  # Get snapshot with certain user and password
  quordctl --user=root --password=password123 snapshot save /backup/etcd-snapshot.db
  
  # Get snapshot from given address with timeout
  quordctl --endpoints=https://127.0.0.1:2379 --dial-timeout=20s snapshot save /backup/etcd-snapshot.db
  
  # Save snapshot with desirable time format
  quordctl snapshot save /mnt/backup/etcd/backup_$(date +%Y%m%d_%H%M%S).db`;

const save = defineSub({
  use: "save <filename>",
  short: "Stores an etcd node backend snapshot to a given file",
  example,
  run: async ({ args, context: ctl }) => {
    if (args.length !== 1) badArgs("snapshot save expects one argument <filename>");
    const endpoints = await ctl.endpoints();
    const { Deadline } = await import("../../client/index.ts");
    // A snapshot takes as long as it takes, unless told otherwise.
    const deadline = ctl.given("command-timeout")
      ? Deadline.in(ctl.flags["command-timeout"])
      : Deadline.never;
    if (endpoints.length !== 1) {
      const list = endpoints.join(" ");
      refuse(`snapshot must be requested to one selected node, not multiple [${list}]`);
    }
    const status = EXIT.interrupted;
    const client = await ctl.connect(endpoints, { logger: "client", status });
    const path = args[0]!;
    try {
      const version = await new Download(ctl, client, deadline, endpoints[0]!).saveTo(path);
      ctl.out(`Snapshot saved at ${path}\n`);
      if (version !== "") ctl.out(`Server version ${version}\n`);
    } finally {
      await rm(`${path}.part`, { recursive: true, force: true });
    }
  },
});

function refuse(message: string): never {
  throw new Exit(EXIT.interrupted, message);
}

type Snapshot = MessageStream<api.SnapshotRequest, api.SnapshotResponse>;
type File = Awaited<ReturnType<typeof open>>;

/** A snapshot on its way into a file. The file gets its name when it is whole and on disk. */
class Download {
  readonly #ctl: Ctl;
  readonly #client: Client;
  readonly #deadline: Deadline;
  readonly #endpoint: string;
  #progress: Progress | undefined;

  constructor(ctl: Ctl, client: Client, deadline: Deadline, endpoint: string) {
    this.#ctl = ctl;
    this.#client = client;
    this.#deadline = deadline;
    this.#endpoint = endpoint;
  }

  /** The version of the storage that was saved; "" from servers before 3.6. */
  async saveTo(path: string): Promise<string> {
    const partPath = `${path}.part`;
    const file = await open(partPath, "w", 0o600).catch((error: NodeJS.ErrnoException) =>
      refuse(`could not open ${partPath} (open ${partPath}: ${errnoText(error)})`),
    );
    this.#log({ caller: SAVE(83), msg: "created temporary db file", fields: { path: partPath } });
    let version: string;
    try {
      version = await this.#fetch(file);
    } finally {
      this.#progress?.clear();
      await file.close();
    }
    await rename(partPath, path).catch((error: NodeJS.ErrnoException) => {
      const why = error.code === "EISDIR" ? "file exists" : errnoText(error);
      refuse(`could not rename ${partPath} to ${path} (rename ${partPath} ${path}: ${why})`);
    });
    this.#log({ caller: SAVE(121), msg: "saved", fields: { path } });
    return version;
  }

  async #fetch(file: File): Promise<string> {
    const started = performance.now();
    const stream = await this.#open();
    this.#log({ logger: "client", caller: CLIENT(236), msg: OPENED });
    const first = await this.#first(stream);
    const endpoint = this.#endpoint;
    this.#log({ caller: SAVE(96), msg: "fetching snapshot", fields: { endpoint } });
    const bytes = await this.#copy(stream, first, file);
    // The digest at the end is the only part whose size is not a number of sectors.
    if (bytes % SECTOR_BYTES !== SHA256_BYTES) {
      refuse(`sha256 checksum not found [bytes: ${bytes}]`);
    }
    await file.sync().catch((error: NodeJS.ErrnoException) => {
      refuse(`could not fsync snapshot: ${errnoText(error)}`);
    });
    const size = formatBytes(bytes);
    const took = formatDuration(performance.now() - started);
    const fields = { endpoint, size, took, "etcd-version": first.version };
    this.#log({ caller: SAVE(111), msg: "fetched snapshot", fields });
    return first.version;
  }

  async #open(): Promise<Snapshot> {
    const { describeError, maintenance, StatusError } = await import("../../client/index.ts");
    try {
      const stream = await this.#client.stream(maintenance.snapshot, { deadline: this.#deadline });
      stream.send({});
      stream.end();
      return stream;
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      const caller = "v3@v3.7.3/retry_interceptor.go:134";
      const msg = "streamer failed to create ClientStream";
      this.#log({
        level: "error",
        logger: "client",
        caller,
        msg,
        fields: { error: error.withCode },
      });
      return refuse(describeError(error, this.#deadline));
    }
  }

  async #first(stream: Snapshot): Promise<api.SnapshotResponse> {
    const { StatusError } = await import("../../client/index.ts");
    try {
      const first = await stream.next();
      return first ?? refuse("EOF");
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      this.#logBroken(error.withCode);
      return refuse(error.withCode);
    }
  }

  /** Returns how many bytes there were. */
  async #copy(stream: Snapshot, first: api.SnapshotResponse, file: File): Promise<number> {
    const { describeError, StatusError } = await import("../../client/index.ts");
    const total = first.remainingBytes + first.blob.length;
    this.#progress = new Progress(this.#ctl.io.stderr, "snapshot", total);
    let bytes = 0;
    try {
      let piece: api.SnapshotResponse | undefined = first;
      for (; piece !== undefined; piece = await stream.next()) {
        await file.writeFile(piece.blob);
        bytes += piece.blob.length;
        this.#progress.update(bytes);
      }
    } catch (error) {
      if (error instanceof StatusError) this.#logBroken(error.withCode);
      const why =
        error instanceof StatusError
          ? describeError(error, this.#deadline)
          : errnoText(error as NodeJS.ErrnoException);
      return refuse(`could not write snapshot: ${why}`);
    }
    this.#log({ logger: "client", caller: CLIENT(302), msg: "completed snapshot read; closing" });
    return bytes;
  }

  #logBroken(error: string): void {
    const msg = "failed to receive from snapshot stream; closing";
    this.#log({ level: "warn", logger: "client", caller: CLIENT(304), msg, fields: { error } });
  }

  #log(entry: Omit<LogEntry, "level"> & { readonly level?: LogEntry["level"] }): void {
    this.#progress?.clear();
    this.#ctl.err(logLine({ level: "info", ...entry }));
  }
}

const OPENED = "opened snapshot stream; downloading";

/** Where in etcd's client the like of a line is written. */
const SAVE = (line: number) => `snapshot/v3_snapshot.go:${line}`;
const CLIENT = (line: number) => `v3@v3.7.3/maintenance.go:${line}`;

export const snapshot = define({
  use: "snapshot <subcommand>",
  example,
  commands: [save],
});

/** Reads back everything a server says has happened, and holds it against what was promised. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { KV, Watch, WatchRequestSchema, WatchResponseSchema, type Event } from "../lib/api.ts";
import { pathOf, type Client } from "../lib/grpc.ts";
import { PADDING, type Write } from "./load.ts";

const READ_TIMEOUT_MS = 60_000;
/** The revision of a store in which nothing has happened. */
const EMPTY_REVISION = 1;
const ALL = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };

interface State {
  create: number;
  mod: number;
  version: number;
  value: string;
}

/** A promise that a server broke. */
export class Broken extends Error {}

/** All events from a revision to the current one, by a watch. */
export async function readEvents(client: Client, from: number, to: number): Promise<Event[]> {
  if (from > to) return [];
  return new Promise((resolve, reject) => {
    const events: Event[] = [];
    const done = (error?: Error) => {
      clearTimeout(timer);
      duplex.cancel();
      if (error) reject(error);
      else resolve(events);
    };
    const timer = setTimeout(
      () => done(new Broken(`events up to ${to} never came, only to ${lastRevision(events)}`)),
      READ_TIMEOUT_MS,
    );
    const duplex = client.duplex(pathOf(Watch.method.watch), (bytes) => {
      const message = fromBinary(WatchResponseSchema, bytes);
      if (message.canceled) return done(new Broken(`watch from ${from}: ${message.cancelReason}`));
      events.push(...message.events);
      if (lastRevision(events) >= to) done();
    });
    const value = { ...ALL, startRevision: BigInt(from) };
    const request = create(WatchRequestSchema, { requestUnion: { case: "createRequest", value } });
    duplex.send(toBinary(WatchRequestSchema, request));
  });
}

function unpadded(value: Uint8Array): string {
  const text = Buffer.from(value).toString();
  return text.slice(0, text.indexOf(PADDING));
}

function lastRevision(events: readonly Event[]): number {
  return Number(events.at(-1)?.kv?.modRevision ?? 0n);
}

/** The history as it has been proved so far; grows from round to round. */
export class History {
  /** Where each value was found. */
  readonly #foundAt = new Map<string, number>();
  readonly #state = new Map<string, State>();
  /** Revisions up to here have been proved, and must never look different again. */
  #proved = EMPTY_REVISION;
  /** Compacted up to here: earlier events cannot be read back. */
  compacted = 0;

  /** Checks a server that has come back. `writes` are those since the last check. */
  async check(client: Client, writes: readonly Write[]): Promise<void> {
    const range = await client.call(KV.method.range, ALL);
    const current = Number(range.header!.revision);
    if (current < this.#proved)
      throw new Broken(`revision fell from ${this.#proved} to ${current}`);
    const from = Math.max(this.compacted, EMPTY_REVISION) + 1;
    const events = await readEvents(client, from, current);
    this.#checkOrder(events, current);
    for (const event of events) this.#take(event);
    this.#proved = current;
    for (const write of writes) this.#checkWrite(write, events);
    this.#checkState(range.kvs);
  }

  /** Main revisions without a gap, from the first readable one to the current one. */
  #checkOrder(events: readonly Event[], current: number): void {
    let revision = Math.max(this.compacted, EMPTY_REVISION);
    for (const event of events) {
      const next = Number(event.kv!.modRevision);
      if (next !== revision && next !== revision + 1) {
        throw new Broken(`after revision ${revision} comes ${next}`);
      }
      revision = next;
    }
    if (revision !== current) throw new Broken(`the last event is of ${revision}, not ${current}`);
  }

  #take(event: Event): void {
    const kv = event.kv!;
    const key = Buffer.from(kv.key).toString();
    const value = unpadded(kv.value);
    const revision = Number(kv.modRevision);
    if (event.type === 0) {
      const before = this.#foundAt.get(value);
      if (before !== undefined && before !== revision) {
        throw new Broken(`${value} was applied at ${before} and again at ${revision}`);
      }
      if (before === undefined && revision <= this.#proved) {
        throw new Broken(`${value} was not at revision ${revision} before`);
      }
      this.#foundAt.set(value, revision);
    }
    if (revision <= this.#proved) return;
    const old = this.#state.get(key);
    if (event.type === 1) {
      this.#state.delete(key);
      return;
    }
    const version = (old?.version ?? 0) + 1;
    this.#state.set(key, { create: old?.create ?? revision, mod: revision, version, value });
  }

  #checkWrite(write: Write, events: readonly Event[]): void {
    const { revision } = write;
    const found = new Set(write.puts.map(({ value }) => this.#foundAt.get(value)));
    if (found.size > 1) throw new Broken(`half a transaction: ${JSON.stringify(write)}`);
    if (revision === undefined) return;
    const text = JSON.stringify(write);
    if (write.puts.length > 0 && !found.has(revision)) {
      const where = `found at ${[...found][0]}, current revision ${this.#proved}`;
      throw new Broken(`acknowledged and not there (${where}): ${text}`);
    }
    if (write.deletes === undefined || revision <= this.compacted) return;
    const isDelete = ({ type, kv }: Event) =>
      type === 1 &&
      Number(kv!.modRevision) === revision &&
      Buffer.from(kv!.key).toString() === write.deletes;
    if (!events.some(isDelete)) throw new Broken(`acknowledged and not there: ${text}`);
  }

  #checkState(kvs: readonly NonNullable<Event["kv"]>[]): void {
    if (kvs.length !== this.#state.size) {
      throw new Broken(`${kvs.length} keys, where the history leaves ${this.#state.size}`);
    }
    for (const kv of kvs) {
      const is = `${kv.createRevision} ${kv.modRevision} ${kv.version} ${unpadded(kv.value)}`;
      const state = this.#state.get(Buffer.from(kv.key).toString());
      const must = state && `${state.create} ${state.mod} ${state.version} ${state.value}`;
      if (is !== must) throw new Broken(`${Buffer.from(kv.key)} is ${is}, must be ${must}`);
    }
  }

  get revision(): number {
    return this.#proved;
  }
}

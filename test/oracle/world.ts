/** Sends every request to both servers, and stops at the first difference. */
import { create, fromBinary, fromJsonString, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { MessageShape } from "@bufbuild/protobuf";
import { Prng } from "../../src/base/index.ts";
import { CompactionResponseSchema } from "../lib/api.ts";
import { pathOf } from "../lib/grpc.ts";
import { forgive, sameSpaces } from "./allowed.ts";
import { gatewayPaths } from "./gateway-paths.ts";
import { jsonText } from "./json-text.ts";
import { Model } from "./model.ts";
import { brief, differences, plain, type Plain } from "./plain.ts";
import type { HttpAnswer, Side } from "./side.ts";

type Method<I extends DescMessage, O extends DescMessage> = DescMethod & { input: I; output: O };

/** What both servers answered: a message exactly when the code is 0. */
export interface Outcome<M> {
  readonly code: number;
  readonly text: string;
  readonly message: M | undefined;
}

/** Whether both servers have a method; what the one under test will have later is not asked. */
export type Serves = (path: string) => boolean;

/** A request that the two servers answered differently. */
export class Difference extends Error {}

export class World {
  readonly prng: Prng;
  readonly model = new Model();
  /** The one under test, then the one it must equal. */
  readonly sides: readonly [Side, Side];
  readonly #serves: Serves;
  /** Requests sent to each so far. */
  requests = 0;

  constructor(seed: number, sides: readonly [Side, Side], serves: Serves) {
    this.prng = new Prng(seed);
    this.sides = sides;
    this.#serves = serves;
  }

  /** Whether the method may be asked for. */
  serves(method: DescMethod): boolean {
    return this.#serves(pathOf(method));
  }

  /** A unary call to both, now and then through the JSON gateway. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    init: MessageInitShape<I>,
  ): Promise<Outcome<MessageShape<O>>> {
    const [outcome] = await this.together(method, [init]);
    return outcome!;
  }

  /** Calls that are on their way at once. What they tell is learnt in order: the seed decides all. */
  async together<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    inits: readonly MessageInitShape<I>[],
  ): Promise<Outcome<MessageShape<O>>[]> {
    const requests = inits.map((init) => create(method.input, init));
    const outcomes = await Promise.all(requests.map((request) => this.#send(method, request)));
    for (const [i, { message }] of outcomes.entries()) {
      if (message !== undefined) this.model.learn(message, requests[i]);
    }
    return outcomes;
  }

  async #send<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageShape<I>,
  ): Promise<Outcome<MessageShape<O>>> {
    const paths = gatewayPaths(method);
    if (paths.length > 0 && this.prng.oneIn(25)) {
      return this.gateway(method, request, paths[this.prng.below(paths.length)]!);
    }
    this.requests++;
    const [a, b] = await this.#both((side) => {
      const bytes = toBinary(method.input, withRealLease(side, request));
      return side.fast.unary(pathOf(method), bytes);
    });
    const name = pathOf(method);
    if (a.code !== b.code || sameSpaces(a.text) !== sameSpaces(b.text)) {
      this.differ(name, plain(request), { ...a, body: "" }, { ...b, body: "" });
    }
    if (b.code !== 0) return { code: b.code, text: b.text, message: undefined };
    const message = fromBinary(method.output, b.body);
    if (Buffer.compare(a.body, b.body) !== 0) {
      this.#compare(name, request, fromBinary(method.output, a.body), message);
    }
    return { code: 0, text: "", message };
  }

  /** The same request as JSON over HTTP/1.1, in any of its spellings. */
  async gateway<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageShape<I>,
    path: string,
  ): Promise<Outcome<MessageShape<O>>> {
    const seed = this.prng.next();
    const [a, b] = await this.post(path, (side) => {
      return jsonText(method.input, withRealLease(side, request), new Prng(seed));
    });
    if (b.status !== 200) {
      this.#sameText(path, request, a.body, b.body);
      const { code, message } = JSON.parse(b.body) as { code: number; message: string };
      return { code, text: message, message: undefined };
    }
    const message = fromJsonString(method.output, b.body);
    if (a.body !== b.body) {
      const ours = fromJsonString(method.output, a.body);
      if (differences(plain(ours), plain(message)).length > 0) {
        this.#compare(path, request, ours, message);
      } else {
        // Equal in meaning; then only white space may differ in the text.
        this.same(path, plain(request), compact(a.body), compact(b.body));
      }
    }
    return { code: 0, text: "", message };
  }

  /** One HTTP request with a JSON body to both; the head of the answers must be equal. */
  async post(path: string, body: (side: Side) => string, until?: (soFar: string) => boolean) {
    const cuts = this.prng.oneIn(4) ? this.prng.next() : 0;
    return this.http("POST", path, { body, until, cuts });
  }

  /** One HTTP request to both. With `cuts` its body leaves in chunks, cut at places drawn from it. */
  async http(
    method: string,
    path: string,
    options: {
      readonly body?: (side: Side) => string;
      readonly until?: ((soFar: string) => boolean) | undefined;
      readonly cuts?: number;
      readonly fields?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<[HttpAnswer, HttpAnswer]> {
    this.requests++;
    const { body = () => "", until, cuts = 0, fields = {} } = options;
    const answers = await this.#both((side) => {
      const chunks = cuts === 0 ? [body(side)] : cut(body(side), new Prng(cuts));
      return side.http(method, path, { chunks, until, fields });
    });
    const [a, b] = answers;
    const about = { body: body(this.sides[1]), ...fields };
    this.same(`${method} ${path} (head)`, about, head(a), head(b));
    return answers;
  }

  /** A message of a method in bytes of the caller's own making, which may be bad. */
  async bytes<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    bytes: Uint8Array,
  ): Promise<void> {
    this.requests++;
    const name = pathOf(method);
    const [a, b] = await this.#both((side) => side.fast.unary(name, bytes));
    if (a.code !== b.code || sameSpaces(a.text) !== sameSpaces(b.text)) {
      this.differ(name, hex(bytes), { ...a, body: "" }, { ...b, body: "" });
    }
    if (b.code !== 0) return;
    const message = fromBinary(method.output, b.body);
    const request = decoded(method.input, bytes);
    if (Buffer.compare(a.body, b.body) !== 0) {
      this.#compare(name, request, fromBinary(method.output, a.body), message, hex(bytes));
    }
    this.model.learn(message, request);
  }

  /** Bytes that need not be a message, to a path that need not be a method. */
  async raw(path: string, bytes: Uint8Array): Promise<void> {
    this.requests++;
    const [a, b] = await this.#both((side) => side.fast.unary(path, bytes));
    const left = { code: a.code, text: sameSpaces(a.text), body: plain(a.body) };
    const right = { code: b.code, text: sameSpaces(b.text), body: plain(b.body) };
    if (brief(left, 1e9) !== brief(right, 1e9)) this.differ(path, plain(bytes), left, right);
    // Every answer starts with a header; this is the message that has nothing else.
    if (b.code !== 0 || !path.startsWith("/etcdserverpb.")) return;
    this.model.learn(fromBinary(CompactionResponseSchema, b.body));
  }

  /** A server stream, message by message. */
  async stream<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    init: MessageInitShape<I>,
  ): Promise<MessageShape<O>[]> {
    this.requests++;
    const request = create(method.input, init);
    const bytes = toBinary(method.input, request);
    const [a, b] = await this.#both((side) => side.client.collect(pathOf(method), bytes));
    const decode = (messages: readonly Uint8Array[]) =>
      messages.map((message) => fromBinary(method.output, message));
    const [left, right] = [
      { ...a, messages: decode(a.messages) },
      { ...b, messages: decode(b.messages) },
    ];
    this.same(pathOf(method), plain(request), plain(left), plain(right));
    return right.messages;
  }

  /** Two answers that must be equal in everything that is not in the table of allowed differences. */
  #compare(name: string, request: Message, a: Message, b: Message, asSent?: string): void {
    standInLeases(this.sides[0], a);
    standInLeases(this.sides[1], b);
    const asItCame = plain(b);
    forgive(request, a, b);
    if (differences(plain(a), plain(b)).length > 0) {
      this.differ(`${name} ${asSent ?? ""}`, plain(request), plain(a), asItCame);
    }
  }

  #sameText(name: string, request: Message, a: string, b: string): void {
    const [left, right] = [compact(sameSpaces(a)), compact(sameSpaces(b))];
    if (left !== right) this.differ(name, plain(request), a, b);
  }

  /** Two plain values that must be equal. */
  same(name: string, request: Plain, a: Plain, b: Plain): void {
    if (differences(a, b).length > 0) this.differ(name, request, a, b);
  }

  differ(name: string, request: Plain, a: Plain, b: Plain): never {
    const [ours, theirs] = this.sides.map((side) => side.kind);
    throw new Difference(
      [
        `request ${this.requests}: ${name} ${brief(request, 2_000)}`,
        `  ${ours}: ${brief(a, 4_000)}`,
        `  ${theirs}: ${brief(b, 4_000)}`,
        ...differences(a, b).map((line) => `  at ${line}`),
      ].join("\n"),
    );
  }

  #both<T>(act: (side: Side) => Promise<T>): Promise<[T, T]> {
    return Promise.all([act(this.sides[0]), act(this.sides[1])]);
  }
}

/** A message of unusual bytes; what this library cannot make sense of counts as an empty one. */
function decoded<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(schema, bytes);
  } catch {
    return create(schema);
  }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** The head of an answer, as far as it must be equal. */
const head = ({ status, fields }: HttpAnswer): Plain => ({ status, ...fields });

/** A text in up to five pieces. */
function cut(text: string, prng: Prng): string[] {
  const places = Array.from({ length: prng.below(5) }, () => prng.below(text.length + 1));
  const ends = [...places.sort((a, b) => a - b), text.length];
  return ends.map((end, i) => text.slice(ends[i - 1] ?? 0, end));
}

/** JSON without white space, its fields in the order they came. */
function compact(json: string): string {
  return JSON.stringify(JSON.parse(json));
}

/** A request that names a lease by a stand-in, with the server's own id in place. */
function withRealLease<M extends Message>(side: Side, request: M): M {
  const id = (request as { ID?: unknown }).ID;
  if (typeof id !== "bigint" || !request.$typeName.includes(".Lease")) return request;
  const real = side.realLease(id);
  return real === id ? request : { ...request, ID: real };
}

function standInLeases(side: Side, answer: Message): void {
  const found = answer as { ID?: unknown; leases?: { ID: bigint }[] };
  if (typeof found.ID === "bigint") found.ID = side.comparedLease(found.ID);
  for (const lease of found.leases ?? []) lease.ID = side.comparedLease(lease.ID);
}

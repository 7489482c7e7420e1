import type { ServerCall } from "../grpc/index.ts";
import type { LogLines } from "../member/index.ts";
import { api, CODE, decodeMessage, encodeMessage } from "../proto/index.ts";
import type { Answer } from "./answer.ts";
import type { Service } from "./service.ts";

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = api.SERVING_STATUS;
const UNKNOWN_SERVICE = { code: CODE.notFound, message: "unknown service" };

/** The state of the server as a whole, which goes by the empty name. Others have none. */
export class Health {
  readonly #lines: LogLines;
  readonly #watchers = new Set<() => void>();
  #reason: string | undefined;

  constructor(lines: LogLines) {
    this.#lines = lines;
  }

  get status(): number {
    return this.#reason === undefined ? SERVING : NOT_SERVING;
  }

  /** Not serving for the reason, until it is undefined again. */
  stopServing(reason: string | undefined): void {
    this.#reason = reason;
    const fields = { service: "", status: reason === undefined ? "SERVING" : "NOT_SERVING" };
    if (reason === undefined) this.#lines.info("grpc service status changed", fields);
    else this.#lines.warn("grpc service status changed", { ...fields, reason });
    for (const tell of this.#watchers) tell();
  }

  /** Calls back at each change, until the returned function is called. */
  watch(tell: () => void): () => void {
    this.#watchers.add(tell);
    return () => this.#watchers.delete(tell);
  }
}

export function check(service: Service, bytes: Uint8Array, answer: Answer): void {
  const { service: name } = decodeMessage(api.HealthCheckRequest, bytes);
  const { status } = service.health;
  if (name === "") service.answer(answer, api.HealthCheckResponse, { status });
  else answer.fail(UNKNOWN_SERVICE);
}

export function list(service: Service, bytes: Uint8Array, answer: Answer): void {
  decodeMessage(api.HealthListRequest, bytes);
  const { status } = service.health;
  const statuses = [{ key: "", value: { status } }];
  service.answer(answer, api.HealthListResponse, { statuses });
}

/** Tells the state, now and whenever it changes, and stays open. */
export function watch(service: Service, call: ServerCall): void {
  let unwatch = () => {};
  call.onCancel = () => unwatch();
  call.onMessage = (bytes) => {
    const { service: name } = decodeMessage(api.HealthCheckRequest, bytes);
    const tell = () => {
      const status = name === "" ? service.health.status : SERVICE_UNKNOWN;
      call.send(encodeMessage(api.HealthCheckResponse, { status }));
    };
    tell();
    unwatch();
    unwatch = service.health.watch(tell);
  };
}

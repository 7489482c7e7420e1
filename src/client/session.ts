import type { Client } from "./client.ts";
import { keepAlive, lease } from "./lease.ts";

/** How long the first answer to a renewal may take. */
const FIRST_TIMEOUT_MS = 3_000;

/** A lease that lives as long as its owner does: what hangs on it goes when the owner is gone. */
export class Session {
  readonly client: Client;
  readonly leaseId: bigint;
  /** Resolves when the lease is lost, or the session closed. */
  readonly done: Promise<void>;
  readonly #closing = new AbortController();

  private constructor(client: Client, leaseId: bigint) {
    this.client = client;
    this.leaseId = leaseId;
    this.done = this.#renew();
  }

  /** Grants a lease and keeps it alive from then on. Rejects with `StatusError`. */
  static async open(client: Client, ttlSeconds: number): Promise<Session> {
    const { ID } = await client.call(lease.grant, { TTL: ttlSeconds });
    return new Session(client, ID);
  }

  async #renew(): Promise<void> {
    const answers = keepAlive(this.client, this.leaseId, FIRST_TIMEOUT_MS, this.#closing.signal);
    while ((await answers.next()).done !== true) {
      // Each answer is as good as the next.
    }
  }

  /** Renews no more; the lease is left to expire. */
  close(): void {
    this.#closing.abort();
  }
}

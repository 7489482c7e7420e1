import type { State } from "../apply/index.ts";
import type { NetworkPort } from "./ports.ts";

interface Reachable {
  readonly id: bigint;
  readonly peerUrls: readonly string[];
}

/** The other members, as the links are to know them. */
export class Peers {
  readonly #memberId: bigint;
  readonly #state: State;
  readonly #network: NetworkPort;
  readonly #known = new Set<bigint>();

  constructor(options: {
    readonly memberId: bigint;
    readonly state: State;
    readonly network: NetworkPort;
  }) {
    this.#memberId = options.memberId;
    this.#state = options.state;
    this.#network = options.network;
  }

  /** Takes over who is a member by the state. */
  follow(): void {
    const members = this.#state.members.list();
    for (const id of this.#known) {
      if (!members.some((member) => member.id === id)) this.remove(id);
    }
    for (const member of members) this.set(member);
  }

  set({ id, peerUrls }: Reachable): void {
    if (id === this.#memberId) return;
    this.#known.add(id);
    this.#network.setPeer(id, peerUrls);
  }

  remove(id: bigint): void {
    this.#known.delete(id);
    this.#network.removePeer(id);
  }
}

/** Members in network namespaces of their own, whose links can be cut in either direction. */
import { spawnSync } from "node:child_process";
import type { Place } from "./seat.ts";

/** Nobody has this hardware address: what is sent to it is lost without a word. */
const NOBODY = "02:00:00:00:00:01";

function ip(...args: string[]): boolean {
  return spawnSync("ip", args, { stdio: "ignore" }).status === 0;
}

function must(...args: string[]): void {
  const { status, stderr, error } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr ?? error}`);
}

/** Whether this process may make network namespaces, and the kernel can. */
export function hasNamespaces(): boolean {
  const name = `quord-try-${process.pid}`;
  const isMade = ip("netns", "add", name);
  if (isMade) ip("netns", "del", name);
  return isMade;
}

export class Network {
  readonly places: readonly Place[];
  readonly #names: readonly string[];
  readonly #bridge: string;

  private constructor(names: readonly string[], bridge: string, places: readonly Place[]) {
    this.#names = names;
    this.#bridge = bridge;
    this.places = places;
  }

  static #made = 0;

  /** So many namespaces on one bridge, on which this process has an address, too. */
  static make(count: number): Network {
    const id = `${process.pid}-${Network.#made++}`;
    const third = (process.pid + Network.#made) % 250;
    const bridge = `qb${id}`;
    const names = Array.from({ length: count }, (_, i) => `quord-${id}-${i + 1}`);
    const addresses = names.map((_, i) => `10.213.${third}.${i + 1}`);
    const places = names.map((name, i) => ({
      address: addresses[i]!,
      enter: ["ip", "netns", "exec", name],
    }));
    const network = new Network(names, bridge, places);
    process.once("exit", () => network.close());
    must("link", "add", bridge, "type", "bridge");
    must("addr", "add", `10.213.${third}.254/24`, "dev", bridge);
    must("link", "set", bridge, "up");
    for (const [i, name] of names.entries()) {
      const outside = `qv${id}-${i}`;
      must("netns", "add", name);
      must("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name);
      must("link", "set", outside, "master", bridge, "up");
      must("-n", name, "addr", "add", `${addresses[i]}/24`, "dev", "eth0");
      must("-n", name, "link", "set", "eth0", "up");
      must("-n", name, "link", "set", "lo", "up");
    }
    return network;
  }

  /** From now on nothing that one sends reaches the other. */
  cut(from: number, to: number): void {
    const { address } = this.places[to]!;
    const name = this.#names[from]!;
    must(
      "-n",
      name,
      "neigh",
      "replace",
      address,
      "lladdr",
      NOBODY,
      "dev",
      "eth0",
      "nud",
      "permanent",
    );
  }

  heal(from: number, to: number): void {
    ip("-n", this.#names[from]!, "neigh", "del", this.places[to]!.address, "dev", "eth0");
  }

  /** Calls with every ordered pair of which exactly one is in the group. */
  #across(group: readonly number[], run: (from: number, to: number) => void): void {
    for (const from of this.places.keys()) {
      for (const to of this.places.keys()) {
        if (group.includes(from) !== group.includes(to)) run(from, to);
      }
    }
  }

  isolate(...group: number[]): void {
    this.#across(group, (from, to) => this.cut(from, to));
  }

  healAll(): void {
    for (const from of this.places.keys()) {
      for (const to of this.places.keys()) if (from !== to) this.heal(from, to);
    }
  }

  close(): void {
    for (const name of this.#names) ip("netns", "del", name);
    ip("link", "del", this.#bridge);
  }
}

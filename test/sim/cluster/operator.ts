import { Prng } from "../../../src/base/index.ts";
import type { Member as ClusterMember } from "../../../src/cluster/index.ts";
import {
  api,
  decodeMessage,
  encodeMessage,
  type Init,
  type Schema,
} from "../../../src/proto/index.ts";
import { Caller, type Reply } from "./caller.ts";
import type { Cluster } from "./cluster.ts";
import type { Machine } from "./machine.ts";

const TIMEOUT_MS = 8000;
const RETRY_MS = 400;
/** DowngradeRequest.DowngradeAction. */
const ENABLE = 1;
const CANCEL = 2;
/** What is not done by then is given up. */
const TRY_MS = 12_000;

/**
 * Who changes the members: has machines join as learners, promotes them, removes others, gives them
 * other URLs and hands the lead on, as an operator does who hears of outcomes or not.
 */
export class Operator {
  readonly #cluster: Cluster;
  readonly #caller: Caller;
  readonly #random: Prng;
  #isOver = false;
  #generation = 0;
  /** Work under way. */
  readonly #works = new Set<Promise<void>>();

  constructor(cluster: Cluster, seed: number) {
    this.#cluster = cluster;
    this.#caller = new Caller("op", cluster);
    this.#random = new Prng(seed);
  }

  /** What fails here is a fault of the simulation. */
  #spawn(work: Promise<void>): void {
    const done = work.catch((error: unknown) =>
      this.#cluster.violate(`the operator failed: ${(error as Error).stack}`),
    );
    this.#works.add(done);
    void done.then(() => this.#works.delete(done));
  }

  join(): void {
    const spare = this.#cluster.machines.find((machine) => machine.isSpare);
    if (spare !== undefined) this.#spawn(this.#join(spare));
  }

  downgrade(): void {
    this.#spawn(this.#downgrade());
  }

  leave(machine: Machine): void {
    this.#spawn(this.#leave(machine));
  }

  update(machine: Machine): void {
    this.#spawn(this.#update(machine));
  }

  move(to: Machine): void {
    this.#spawn(this.#move(to));
  }

  /** All is well: whoever is left half way becomes a voter, or goes. */
  async finish(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#works);
    await this.#askDowngrade({ action: CANCEL, version: "" });
    const until = this.#cluster.clock.now + 3 * TRY_MS;
    while (this.#cluster.clock.now < until) {
      const members = await this.#list();
      const odd = members?.filter(({ id, isLearner }) => isLearner || !this.#machineOf(id));
      if (odd?.length === 0) return;
      for (const { id, isLearner } of odd ?? []) {
        if (isLearner && this.#machineOf(id)?.host !== undefined) await this.#promote(id);
        else if (this.#machineOf(id) === undefined) await this.#remove(id);
      }
      await this.#cluster.clock.sleep(RETRY_MS);
    }
    this.#cluster.violate("members can be neither promoted nor removed");
  }

  #machineOf(id: bigint): Machine | undefined {
    return this.#cluster.machines.find((machine) => machine.memberId === id);
  }

  async #join(spare: Machine): Promise<void> {
    spare.isSpare = false;
    const peerUrl = `http://${spare.name}-${++this.#generation}:2380`;
    const request = { peerURLs: [peerUrl], isLearner: true };
    await this.#ask("Cluster/MemberAdd", api.MemberAddRequest, request);
    // Whatever the answer was: who is in the list, is in.
    const members = await this.#listSoon();
    const self = members?.find(({ peerUrls }) => peerUrls.includes(peerUrl));
    if (members === undefined || self === undefined) {
      spare.isSpare = true;
      return;
    }
    const { clusterId } = this.#cluster.founding.ids;
    spare.join({ ids: { memberId: self.id, clusterId }, members, isFounder: false });
    const until = this.#cluster.clock.now + TRY_MS;
    while (this.#cluster.clock.now < until && !this.#isOver) {
      await this.#cluster.clock.sleep(this.#random.below(2 * RETRY_MS));
      if ((await this.#promote(self.id)).code === 0) return;
    }
  }

  /** The cluster goes back to the version before, and thinks better of it. */
  async #downgrade(): Promise<void> {
    await this.#askDowngrade({ action: ENABLE, version: "3.6" });
    await this.#cluster.clock.sleep(this.#random.below(6000));
    await this.#askDowngrade({ action: CANCEL, version: "" });
  }

  #askDowngrade(request: Init<api.DowngradeRequest>): Promise<Reply> {
    return this.#ask("Maintenance/Downgrade", api.DowngradeRequest, request);
  }

  async #leave(machine: Machine): Promise<void> {
    const { memberId } = machine;
    if (memberId !== undefined) await this.#remove(memberId);
  }

  async #update(machine: Machine): Promise<void> {
    const { memberId, name } = machine;
    if (memberId === undefined) return;
    const peerURLs = [`http://${name}-${++this.#generation}:2380`];
    await this.#ask("Cluster/MemberUpdate", api.MemberUpdateRequest, { ID: memberId, peerURLs });
  }

  async #move(to: Machine): Promise<void> {
    const { leader } = this.#cluster;
    const { memberId } = to;
    if (leader === undefined || memberId === undefined) return;
    const bytes = encodeMessage(api.MoveLeaderRequest, { targetID: memberId });
    const path = "/etcdserverpb.Maintenance/MoveLeader";
    const { code, message } = await this.#caller.ask(leader.name, path, bytes, TIMEOUT_MS);
    this.#cluster.say("op", `asked ${leader.name} to let ${to.name} lead: ${code} ${message}`);
  }

  #promote(id: bigint): Promise<Reply> {
    return this.#ask("Cluster/MemberPromote", api.MemberPromoteRequest, { ID: id });
  }

  #remove(id: bigint): Promise<Reply> {
    return this.#ask("Cluster/MemberRemove", api.MemberRemoveRequest, { ID: id });
  }

  async #listSoon(): Promise<ClusterMember[] | undefined> {
    for (let tries = 0; tries < 10; tries++) {
      const members = await this.#list();
      if (members !== undefined) return members;
      await this.#cluster.clock.sleep(RETRY_MS);
    }
    return undefined;
  }

  async #list(): Promise<ClusterMember[] | undefined> {
    const { body } = await this.#ask("Cluster/MemberList", api.MemberListRequest, {
      linearizable: true,
    });
    if (body === undefined) return undefined;
    return decodeMessage(api.MemberListResponse, body).members.map((member) => ({
      id: member.ID,
      name: member.name,
      peerUrls: member.peerURLs,
      clientUrls: member.clientURLs,
      isLearner: member.isLearner,
    }));
  }

  /** Asks any member; the outcome may stay unknown. */
  async #ask<T>(method: string, schema: Schema<T>, request: Init<T>): Promise<Reply> {
    const serving = this.#cluster.machines.filter(({ host }) => host !== undefined);
    const machine = serving[this.#random.below(Math.max(1, serving.length))];
    if (machine === undefined) return { code: 14, message: "nobody serves" };
    const bytes = encodeMessage(schema, request);
    const path = `/etcdserverpb.${method}`;
    const reply = await this.#caller.ask(machine.name, path, bytes, TIMEOUT_MS);
    const what = JSON.stringify(request, (_key, value: unknown) =>
      typeof value === "bigint" ? value.toString(16) : value,
    );
    const { code, message } = reply;
    this.#cluster.say("op", `asked ${machine.name} ${method} ${what}: ${code} ${message}`);
    return code === 0 ? reply : { code, message };
  }
}

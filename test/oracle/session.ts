/** What is open on both servers beside the single requests, and how a comparison goes on. */
import { Draw } from "./draw.ts";
import { fragments } from "./fragments.ts";
import { Kube } from "./kube.ts";
import * as kv from "./kv.ts";
import { allKeys, KeepAlives, revokeServerChosen } from "./leases.ts";
import { metrics } from "./metrics.ts";
import { Patroni } from "./patroni.ts";
import { Watches } from "./watches.ts";
import type { World } from "./world.ts";

/** Requests between two comparisons of hashes and streams, and between two restarts. */
const CHECKPOINT_EVERY = 1_000;
const RESTART_EVERY = 25_000;

export class Session {
  readonly world: World;
  readonly draw: Draw;
  readonly watches: Watches;
  readonly kube: Kube;
  readonly patroni: Patroni;
  keepAlives: KeepAlives;

  constructor(world: World) {
    this.world = world;
    this.draw = new Draw(world.prng, world.model);
    this.watches = new Watches(world);
    this.kube = new Kube(world);
    this.patroni = new Patroni(world);
    this.keepAlives = new KeepAlives(world);
  }

  settle = async (): Promise<void> => {
    await this.patroni.settle();
    await this.watches.settle();
    await this.kube.settle();
  };

  close(): void {
    this.watches.close();
    this.kube.close();
    this.patroni.close();
    this.keepAlives.close();
  }

  async restart(): Promise<void> {
    this.close();
    await Promise.all(this.world.sides.map((side) => side.restart()));
    this.watches.open();
    this.keepAlives = new KeepAlives(this.world);
  }

  /** All that can be compared at rest. */
  async thorough(): Promise<void> {
    await this.settle();
    await kv.checkpoint(this.world);
    await allKeys(this.world);
    await revokeServerChosen(this.world);
    await kv.hashAll(this.world);
    await metrics(this.world);
  }

  /** Steps drawn by their weights, until so many requests were sent. */
  async run(steps: Steps, total: number): Promise<void> {
    const { world, draw } = this;
    let checkpointAt = world.requests + CHECKPOINT_EVERY;
    let restartAt = world.requests + RESTART_EVERY;
    while (world.requests < total) {
      await draw.weighted(steps)(this);
      if (world.requests < checkpointAt) continue;
      checkpointAt = world.requests + CHECKPOINT_EVERY;
      await this.settle();
      await kv.checkpoint(world);
      if (world.requests < restartAt) continue;
      restartAt = world.requests + RESTART_EVERY;
      await this.thorough();
      // While nobody else watches: every one of these events is large.
      this.close();
      await fragments(world);
      await this.restart();
      await this.thorough();
    }
  }
}

export type Step = (session: Session) => Promise<unknown>;
export type Steps = readonly (readonly [weight: number, step: Step])[];

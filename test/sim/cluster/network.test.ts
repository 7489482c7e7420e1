import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "./clock.ts";
import { LifeTime, MachineClock } from "./machine-time.ts";
import type { PeerInbox } from "../../../src/member/index.ts";
import { FAIR, Network } from "./network.ts";
import { PeerLinks } from "./peer-links.ts";

test("a direction that is cut loses everything, and cuts nest", () => {
  const network = new Network(new Clock(), 1);
  network.cut("a", "b");
  network.cut("a", "b");
  assert.deepEqual(network.arrivals("a", "b", true), []);
  assert.equal(network.arrivals("b", "a", true).length, 1);
  network.mend("a", "b");
  assert.ok(!network.isOpen("a", "b"));
  network.mend("a", "b");
  assert.equal(network.arrivals("a", "b", true).length, 1);
});

test("in bad weather messages are lost, doubled and overtaken, in fair weather they are not", () => {
  const network = new Network(new Clock(), 1);
  const send = () => Array.from({ length: 500 }, () => network.arrivals("a", "b", true));
  const fair = send();
  assert.ok(fair.every(({ length }) => length === 1));
  assert.deepEqual(
    fair.map(([ms]) => ms),
    fair.map(([ms]) => ms!).toSorted((a, b) => a - b),
  );
  network.weather = { ...FAIR, lostPerMille: 100, doubledPerMille: 100, isOrdered: false };
  const bad = send();
  assert.ok(bad.some(({ length }) => length === 0) && bad.some(({ length }) => length === 2));
  const times = bad.flat();
  assert.notDeepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
});

test("a way is open since it was mended last", async () => {
  const clock = new Clock();
  const network = new Network(clock, 1);
  network.cut("a", "b");
  assert.equal(network.openSince("a", "b"), undefined);
  clock.at(70, () => network.mend("a", "b"));
  clock.at(80, () => {});
  await clock.runUntil(() => clock.now >= 80);
  assert.equal(network.openSince("b", "a"), 70);
});

/** What a machine's clock shows at moments of the world's. */
async function shown(moments: readonly number[], change: (machine: MachineClock) => void) {
  const clock = new Clock();
  const machine = new MachineClock(clock);
  const times: number[] = [];
  clock.at(100, () => change(machine));
  for (const moment of moments) clock.at(moment, () => times.push(machine.now()));
  await clock.runUntil(() => times.length === moments.length);
  return times;
}

test("a machine's clock may be fast, and stand still with the machine or not", async () => {
  assert.deepEqual(await shown([50, 200], (machine) => machine.setRate(2)), [50, 300]);
  assert.deepEqual(await shown([400], (machine) => machine.freeze(200, "goes")), [400]);
  assert.deepEqual(await shown([400], (machine) => machine.freeze(200, "stands")), [200]);
});

test("nothing happens on a machine that stands still, and then all of it in order", async () => {
  const clock = new Clock();
  const machine = new MachineClock(clock);
  const happened: string[] = [];
  clock.at(10, () => machine.freeze(100, "goes"));
  clock.at(30, () => machine.run(() => happened.push(`second at ${clock.now}`)));
  machine.after(20, () => happened.push(`first at ${clock.now}`));
  await clock.runUntil(() => happened.length === 2);
  assert.deepEqual(happened, ["first at 110", "second at 110"]);
});

test("nothing that a life has asked for happens after its end", async () => {
  const clock = new Clock();
  const life = new LifeTime(new MachineClock(clock), 1);
  let happened = false;
  life.after(10, () => {
    happened = true;
  });
  clock.at(5, () => {
    life.isOver = true;
  });
  clock.at(20, () => {});
  await clock.runUntil(() => clock.now >= 20);
  assert.equal(happened, false);
});

test("who was removed before anything was said to it hears of it where it asks for streams", async () => {
  const clock = new Clock();
  let hasHeard = false;
  let isRemoved = false;
  const inbox = { ids: { memberId: 4n }, isRemoved: () => isRemoved } as unknown as PeerInbox;
  const nothing = () => {};
  const after = (ms: number, work: () => void) => clock.after(ms, work);
  const links = new PeerLinks(
    {
      network: new Network(clock, 1),
      name: "m4",
      peerOn: () => ({ inbox, isAlive: true, bornAt: 0, arrive: (work) => work() }),
      now: () => clock.now,
      after,
      afterAnyway: after,
      localNow: () => clock.now,
      say: nothing,
      sent: nothing,
      removed: () => {
        hasHeard = true;
      },
    },
    inbox,
  );
  links.setPeer(1n, ["http://m1:2380"]);
  await clock.runUntil(() => clock.now > 3000);
  assert.ok(!hasHeard);
  isRemoved = true;
  await clock.runUntil(() => hasHeard || clock.now > 6000);
  assert.ok(hasHeard);
});

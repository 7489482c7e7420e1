import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesToHex } from "../base/index.ts";
import { Db } from "../bolt/index.ts";
import { api } from "../proto/index.ts";
import { Alarms } from "./alarms.ts";

const { NONE, NOSPACE, CORRUPT } = api.ALARM_TYPE;
const { GET, ACTIVATE, DEACTIVATE } = api.ALARM_ACTION;

const newDb = () => Db.create({ pageSize: 4096, source: { read: () => undefined } });

function alarmsIn(db: Db): Alarms {
  const alarms = new Alarms(db.bucket("alarm"));
  alarms.restore();
  return alarms;
}

test("an alarm stands until it is taken back, and only then", () => {
  const alarms = alarmsIn(newDb());
  const raised = [{ memberID: 7n, alarm: NOSPACE }];
  assert.deepEqual(alarms.apply({ action: ACTIVATE, memberID: 7n, alarm: NOSPACE }), raised);
  assert.deepEqual(alarms.apply({ action: ACTIVATE, memberID: 7n, alarm: NOSPACE }), raised);
  assert.deepEqual(alarms.apply({ action: GET, memberID: 0n, alarm: NONE }), raised);
  assert.ok(alarms.hasNoSpace && !alarms.hasCorrupt);
  assert.deepEqual(alarms.apply({ action: DEACTIVATE, memberID: 8n, alarm: NOSPACE }), []);
  assert.deepEqual(alarms.apply({ action: DEACTIVATE, memberID: 7n, alarm: NOSPACE }), raised);
  assert.deepEqual(alarms.apply({ action: DEACTIVATE, memberID: 7n, alarm: NOSPACE }), []);
  assert.ok(!alarms.hasNoSpace);
});

test("nobody can raise no alarm", () => {
  const alarms = alarmsIn(newDb());
  assert.deepEqual(alarms.apply({ action: ACTIVATE, memberID: 7n, alarm: NONE }), []);
  assert.deepEqual(alarms.list(), []);
});

test("a list is of one type, or of all", () => {
  const alarms = alarmsIn(newDb());
  alarms.apply({ action: ACTIVATE, memberID: 1n, alarm: NOSPACE });
  alarms.apply({ action: ACTIVATE, memberID: 2n, alarm: CORRUPT });
  assert.equal(alarms.list().length, 2);
  assert.deepEqual(alarms.list(CORRUPT), [{ memberID: 2n, alarm: CORRUPT }]);
});

test("alarms are kept as etcd keeps them, and found again", () => {
  const db = newDb();
  alarmsIn(db).apply({ action: ACTIVATE, memberID: 0x8e9e05c52164694dn, alarm: NOSPACE });
  const cursor = db.bucket("alarm").cursor();
  assert.ok(cursor.first());
  assert.equal(bytesToHex(cursor.key), "08cdd2918bd2b881cf8e011001");
  assert.equal(cursor.value.length, 0);
  const again = alarmsIn(db);
  assert.ok(again.hasNoSpace);
  again.apply({ action: DEACTIVATE, memberID: 0x8e9e05c52164694dn, alarm: NOSPACE });
  assert.deepEqual(alarmsIn(db).list(), []);
});

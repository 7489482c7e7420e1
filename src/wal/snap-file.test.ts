import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesToText } from "../base/index.ts";
import { EMPTY_CONF_STATE, ProtoError } from "../proto/index.ts";
import {
  decodeSnapFile,
  encodeSnapFile,
  snapDatabaseIndex,
  snapDatabaseName,
  snapFileName,
} from "./snap-file.ts";
import { v2StoreJson } from "./v2-store.ts";

const meta = {
  index: 153,
  term: 2,
  confState: { ...EMPTY_CONF_STATE, voters: [7n, 0xffff_ffff_ffff_fff1n], learners: [9n] },
};

test("a snapshot file reads back", () => {
  const data = new Uint8Array([1, 2, 3]);
  const snapshot = decodeSnapFile(encodeSnapFile({ meta, data }));
  assert.deepEqual(snapshot.meta, meta);
  assert.deepEqual(Uint8Array.from(snapshot.data), data);
});

test("names sort by term, then index", () => {
  assert.equal(snapFileName(2, 153), "0000000000000002-0000000000000099.snap");
  assert.ok(snapFileName(2, 153) < snapFileName(3, 1));
  assert.equal(snapDatabaseIndex(snapDatabaseName(255)), 255);
  assert.equal(snapDatabaseIndex(snapFileName(2, 153)), undefined);
});

test("a flipped bit, a cut and nothing at all are refused", () => {
  const bytes = encodeSnapFile({ meta, data: new Uint8Array(20) });
  assert.throws(() => decodeSnapFile(new Uint8Array(0)), ProtoError);
  for (let at = 0; at < bytes.length; at++) {
    assert.throws(() => decodeSnapFile(bytes.subarray(0, at)), ProtoError);
    for (let bit = 0; bit < 8; bit++) {
      bytes[at]! ^= 1 << bit;
      assert.throws(() => decodeSnapFile(bytes), ProtoError, `bit ${bit} of byte ${at}`);
      bytes[at]! ^= 1 << bit;
    }
  }
});

test("bytes from anywhere are read or refused, nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        decodeSnapFile(bytes);
      } catch (error) {
        assert.ok(error instanceof ProtoError);
      }
    }),
  );
});

test("the v2 store holds each member as 3.6 expects it", () => {
  const started = {
    id: 0x6183134728c20dcdn,
    name: "m1",
    peerUrls: ["http://a:2380"],
    clientUrls: ["http://a:2379"],
    isLearner: false,
  };
  const learner = { ...started, id: 1n, clientUrls: [], isLearner: true };
  const dump = JSON.parse(bytesToText(v2StoreJson([started, learner], "3.7.0")));
  const root = dump.Root.Children["0"].Children;
  const member = root.members.Children["6183134728c20dcd"].Children;
  assert.deepEqual(member.raftAttributes, {
    Path: "/0/members/6183134728c20dcd/raftAttributes",
    CreatedIndex: 0,
    ModifiedIndex: 0,
    ExpireTime: "0001-01-01T00:00:00Z",
    Value: '{"peerURLs":["http://a:2380"]}',
    Children: null,
  });
  assert.equal(member.attributes.Value, '{"name":"m1","clientURLs":["http://a:2379"]}');
  const second = root.members.Children["1"].Children;
  assert.deepEqual(Object.keys(second), ["raftAttributes"]);
  assert.equal(second.raftAttributes.Value, '{"peerURLs":["http://a:2380"],"isLearner":true}');
  assert.equal(root.version.Value, "3.7.0");
  assert.equal(dump.WatcherHub.EventHistory.Queue.Events.length, 1000);
  assert.deepEqual(dump.Root.Children["1"].Children, {});
});

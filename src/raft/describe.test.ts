import assert from "node:assert/strict";
import { test } from "node:test";
import { describeConfChange, describeEntry, describeMessage, describeReady } from "./describe.ts";
import {
  CONF_CHANGE_TYPE,
  encodeConfChangeV2,
  ENTRY_TYPE,
  LOCAL_APPEND,
  MESSAGE_TYPE,
  message,
  TRANSITION,
} from "./types.ts";

const data = Uint8Array.from(Buffer.from('say "hi"\n'));
const entry = { term: 1, index: 12, type: ENTRY_TYPE.normal, data };
const change = {
  transition: TRANSITION.jointExplicit,
  changes: [
    { type: CONF_CHANGE_TYPE.addNode, nodeId: 1n },
    { type: CONF_CHANGE_TYPE.removeNode, nodeId: 2n },
    { type: CONF_CHANGE_TYPE.updateNode, nodeId: 3n },
    { type: CONF_CHANGE_TYPE.addLearner, nodeId: 4n },
  ],
  context: Uint8Array.of(0x63),
};

test("an entry is told by its place, kind and content", () => {
  assert.equal(describeEntry(entry), '1/12 EntryNormal "say \\"hi\\"\\n"');
  const changing = { ...entry, type: ENTRY_TYPE.confChangeV2, data: encodeConfChangeV2(change) };
  assert.equal(describeEntry(changing), "1/12 EntryConfChangeV2 v1 r2 u3 l4");
  const leaving = { ...changing, data: new Uint8Array(0) };
  assert.equal(describeEntry(leaving), "1/12 EntryConfChangeV2");
  const broken = describeEntry({ ...changing, data: Uint8Array.of(0xff) });
  assert.equal(broken, "1/12 EntryConfChangeV2 unexpected end of message");
});

test("a change is told in full where it is refused", () => {
  assert.equal(
    describeConfChange(change),
    "transition:ConfChangeTransitionJointExplicit " +
      "changes:{type:ConfChangeAddNode node_id:1} changes:{type:ConfChangeRemoveNode node_id:2} " +
      "changes:{type:ConfChangeUpdateNode node_id:3} " +
      'changes:{type:ConfChangeAddLearnerNode node_id:4} context:"c"',
  );
});

test("a message is told by its way, kind, places and what it carries", () => {
  const response = message({ type: MESSAGE_TYPE.appResp, from: 0xabn, to: 2n, term: 3, index: 9 });
  const fields = { from: 0xabn, term: 3, vote: 2n, commit: 8, entries: [entry, entry] };
  const m = {
    type: MESSAGE_TYPE.storageAppend,
    to: LOCAL_APPEND,
    responses: [response],
    ...fields,
  };
  const described = describeEntry(entry);
  assert.equal(
    describeMessage(message(m)),
    "ab->AppendThread MsgStorageAppend Term:3 Log:0/0 Commit:8 Vote:2 Entries:[\n" +
      `  ${described}\n  ${described}\n] Responses:[\n  ab->2 MsgAppResp Term:3 Log:0/9\n]`,
  );
  const refusal = { from: 1n, to: 2n, logTerm: 1, index: 4, reject: true, rejectHint: 3 };
  assert.equal(
    describeMessage(message({ type: MESSAGE_TYPE.appResp, ...refusal })),
    "1->2 MsgAppResp Term:0 Log:1/4 Rejected (Hint: 3)",
  );
});

test("a Ready is told by what it asks for, and an empty one says so", () => {
  const empty = {
    softState: undefined,
    hardState: undefined,
    entries: [],
    snapshot: undefined,
    messages: [],
    messagesAfterAppend: [],
    committed: [],
    readStates: [],
    mustSync: false,
  };
  assert.equal(describeReady(empty), "<empty Ready>");
  const busy = {
    ...empty,
    softState: { lead: 1n, role: "follower" as const },
    hardState: { term: 2, vote: 0n, commit: 3 },
    readStates: [{ index: 3, context: Uint8Array.of(1, 2) }],
  };
  assert.equal(
    describeReady(busy),
    "Ready MustSync=false:\nLead:1 State:StateFollower\nHardState Term:2 Commit:3\n" +
      "ReadStates [{3 [1 2]}]\n",
  );
});

import { textToBytes } from "../base/index.ts";

/** What the v2 store keeps of a member. */
export interface StoredMember {
  readonly id: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

/** A leaf is its value, a directory its children. */
type Tree = string | { readonly [name: string]: Tree };

/**
 * The data of a raft snapshot: a dump of etcd's v2 store that holds the members. Nobody reads it
 * since 3.7, but a 3.6 member that gets the snapshot, or is started on this directory, takes its
 * members from it and stops on text that is no such dump. `version` is the cluster's, such as
 * `3.7.0`, or empty before it is decided.
 */
export function v2StoreJson(members: readonly StoredMember[], version: string): Uint8Array {
  const named = members.map((member) => [member.id.toString(16), attributes(member)]);
  const tree: Tree = {
    "0": { members: Object.fromEntries(named), ...(version === "" ? {} : { version }) },
    "1": {},
  };
  return textToBytes(
    JSON.stringify({
      Root: node("/", tree),
      WatcherHub: { EventHistory: { Queue: EMPTY_QUEUE, StartIndex: 0, LastIndex: 0 } },
      CurrentIndex: members.length,
      Stats: Object.fromEntries(COUNTERS.map((name) => [name, 0])),
      CurrentVersion: 2,
    }),
  );
}

function attributes(member: StoredMember): Tree {
  const { name, peerUrls: peerURLs, clientUrls: clientURLs, isLearner } = member;
  return {
    ...(clientURLs.length === 0 ? {} : { attributes: JSON.stringify({ name, clientURLs }) }),
    raftAttributes: JSON.stringify(isLearner ? { peerURLs, isLearner } : { peerURLs }),
  };
}

function node(path: string, tree: Tree): unknown {
  const isLeaf = typeof tree === "string";
  return {
    Path: path,
    CreatedIndex: 0,
    ModifiedIndex: 0,
    ExpireTime: "0001-01-01T00:00:00Z",
    Value: isLeaf ? tree : "",
    Children: isLeaf ? null : childNodes(path === "/" ? "" : path, tree),
  };
}

function childNodes(parent: string, children: { readonly [name: string]: Tree }): unknown {
  const named = Object.entries(children).map(([name, tree]) => [
    name,
    node(`${parent}/${name}`, tree),
  ]);
  return Object.fromEntries(named);
}

/** The queue's slots are written by position: all must be there. */
const EMPTY_QUEUE = {
  Events: Array.from({ length: 1000 }, () => null),
  Size: 0,
  Front: 0,
  Back: 0,
  Capacity: 1000,
};

const COUNTERS = [
  "getsSuccess",
  "getsFail",
  "setsSuccess",
  "setsFail",
  "deleteSuccess",
  "deleteFail",
  "updateSuccess",
  "updateFail",
  "createSuccess",
  "createFail",
  "compareAndSwapSuccess",
  "compareAndSwapFail",
  "compareAndDeleteSuccess",
  "compareAndDeleteFail",
  "expireCount",
  "watchers",
];

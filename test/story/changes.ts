import { CONF_CHANGE_TYPE, type ConfChangeSingle } from "../../src/raft/index.ts";

const TYPES: Readonly<Record<string, number>> = {
  v: CONF_CHANGE_TYPE.addNode,
  l: CONF_CHANGE_TYPE.addLearner,
  r: CONF_CHANGE_TYPE.removeNode,
  u: CONF_CHANGE_TYPE.updateNode,
};

/** Reads "v1 l2 r3 u4": make 1 a voter, make 2 a learner, remove 3, update 4. */
export function parseChanges(text: string): ConfChangeSingle[] {
  const words = text.split(" ").filter((word) => word !== "");
  return words.map((word) => ({ type: TYPES[word[0]!]!, nodeId: BigInt(word.slice(1)) }));
}

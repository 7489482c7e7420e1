import { Db } from "../bolt/index.ts";
import type { Member } from "./index.ts";

export function newDb(): Db {
  return Db.create({ pageSize: 4096, source: { read: () => undefined } });
}

export function member(id: bigint, more: Partial<Member> = {}): Member {
  return {
    id,
    peerUrls: [`http://m${id}:2380`],
    isLearner: false,
    name: "",
    clientUrls: [],
    ...more,
  };
}

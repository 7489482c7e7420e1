import { EMPTY_BYTES } from "../base/index.ts";
import type { Message } from "../proto/index.ts";

/** For tests: a message of which the fields not given are zero. */
export function messageOf(fields: Partial<Message> & Pick<Message, "type">): Message {
  return {
    to: 0n,
    from: 0n,
    term: 0,
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    snapshot: undefined,
    reject: false,
    rejectHint: 0,
    context: EMPTY_BYTES,
    vote: 0n,
    responses: [],
    ...fields,
  };
}

import type { View } from "../../cli/index.ts";
import { api, encodeMessage, type Init, type Schema } from "../../proto/index.ts";
import type { AnswerLines } from "./fields.ts";
import { messageJson } from "./json.ts";

/** An answer in all forms. */
export type AnswerView = View<AnswerLines>;

/** The forms that a message gives by itself, when JSON and protobuf show just the message. */
export function messageView<T>(
  schema: Schema<T>,
  message: T,
  rest: Omit<AnswerView, "json" | "protobuf">,
): AnswerView {
  return {
    json: () => messageJson(schema, message),
    protobuf: () => encodeMessage(schema, message as Init<T>),
    ...rest,
  };
}

/** An answer that says nothing but that it was done: a sentence for people, its header for others. */
export function doneView<T extends { readonly header: api.ResponseHeader | undefined }>(
  schema: Schema<T>,
  answer: T,
  sentence: string,
): AnswerView {
  return messageView(schema, answer, {
    simple: (page) => page.line(sentence),
    fields: (lines) => lines.header(answer.header),
  });
}

/**
 * The header of an answer as members of a JSON object, for the answers that etcd's client turns
 * into structures with the header's fields on top; in protobuf they are nothing but the header.
 */
export function headerMembers(header: api.ResponseHeader | undefined): Record<string, unknown> {
  const { clusterId = 0n, memberId = 0n, revision = 0, raftTerm = 0 } = header ?? {};
  return {
    cluster_id: clusterId || undefined,
    member_id: memberId || undefined,
    revision: revision || undefined,
    raft_term: raftTerm || undefined,
  };
}

export function headerBytes(header: api.ResponseHeader | undefined): Uint8Array {
  return encodeMessage(api.ResponseHeader, header ?? {});
}

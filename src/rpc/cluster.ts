import { api, decodeMessage } from "../proto/index.ts";
import type { Answer } from "./answer.ts";
import type { Service } from "./service.ts";

/** Replies of the Cluster service carry no revision. */
export function memberList(service: Service, bytes: Uint8Array, answer: Answer): void {
  const { linearizable } = decodeMessage(api.MemberListRequest, bytes);
  const read = () =>
    service.answer(answer, api.MemberListResponse, {
      header: { ...service.header(0) },
      members: service.state.members.list().map((member) => ({
        ID: member.id,
        name: member.name,
        peerURLs: member.peerUrls,
        clientURLs: member.clientUrls,
        isLearner: member.isLearner,
      })),
    });
  if (linearizable) service.linearizable(answer, read);
  else read();
}

import { urlProblem } from "../base/index.ts";
import type { Member as ClusterMember } from "../cluster/index.ts";
import { type ChangeOutcome, isRefused } from "../member/index.ts";
import { api, decodeMessage, type Failure, fail, type Schema } from "../proto/index.ts";
import type { Answer } from "./answer.ts";
import type { Service } from "./service.ts";

export function memberAdd(service: Service, bytes: Uint8Array, answer: Answer): void {
  const { peerURLs, isLearner } = decodeMessage(api.MemberAddRequest, bytes);
  const urls = peerURLs.map((url) => url.trim()).sort();
  if (urls.length === 0 || peerURLs.some((url) => urlProblem(url) !== undefined)) {
    answer.fail(fail("memberBadUrls"));
    return;
  }
  const { member } = service;
  const add = async () => {
    const outcome = await member.membership.add(urls, { isLearner });
    if ("code" in outcome) answer.fail(outcome);
    else {
      const added = { ID: outcome.member.id, peerURLs: urls, isLearner };
      service.answer(answer, api.MemberAddResponse, {
        header: service.header(0),
        member: added,
        members: outcome.members.map(toMessage),
      });
    }
  };
  member.spawn(add());
}

export function memberRemove(service: Service, bytes: Uint8Array, answer: Answer): void {
  const { ID } = decodeMessage(api.MemberRemoveRequest, bytes);
  const outcome = service.member.membership.remove(ID);
  answerMembers(service, answer, api.MemberRemoveResponse, outcome);
}

export function memberUpdate(service: Service, bytes: Uint8Array, answer: Answer): void {
  const { ID, peerURLs } = decodeMessage(api.MemberUpdateRequest, bytes);
  const outcome = service.member.membership.update(ID, peerURLs);
  answerMembers(service, answer, api.MemberUpdateResponse, outcome);
}

export function memberPromote(service: Service, bytes: Uint8Array, answer: Answer): void {
  const { ID } = decodeMessage(api.MemberPromoteRequest, bytes);
  const outcome = service.member.membership.promote(ID);
  answerMembers(service, answer, api.MemberPromoteResponse, outcome);
}

export function memberList(service: Service, bytes: Uint8Array, answer: Answer): void {
  const { linearizable } = decodeMessage(api.MemberListRequest, bytes);
  const read = () =>
    service.answer(answer, api.MemberListResponse, {
      header: service.header(0),
      members: service.state.members.list().map(toMessage),
    });
  if (linearizable) service.linearizable(answer, read);
  else read();
}

/** Replies of the Cluster service carry no revision. */
function answerMembers(
  service: Service,
  answer: Answer,
  schema: Schema<api.MemberRemoveResponse>,
  change: Promise<ChangeOutcome>,
): void {
  const changed = change.then((outcome: ChangeOutcome | Failure) => {
    if (isRefused(outcome)) answer.fail(outcome);
    else {
      const members = outcome.map(toMessage);
      service.answer(answer, schema, { header: service.header(0), members });
    }
  });
  service.member.spawn(changed);
}

function toMessage({ id, name, peerUrls, clientUrls, isLearner }: ClusterMember) {
  return { ID: id, name, peerURLs: peerUrls, clientURLs: clientUrls, isLearner };
}

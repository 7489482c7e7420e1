import { QUOTA_BYTES_DEFAULT } from "../apply/index.ts";
import type { ServerCall } from "../grpc/index.ts";
import { SERVER_VERSION, shortVersion } from "../cluster/index.ts";
import { hashAll } from "../mvcc/index.ts";
import {
  api,
  CODE,
  decodeMessage,
  encodeMessage,
  type Failure,
  fail,
  REQUEST,
} from "../proto/index.ts";
import type { Answer } from "./answer.ts";
import type { Service } from "./service.ts";

export function status(service: Service, bytes: Uint8Array, answer: Answer): void {
  decodeMessage(api.StatusRequest, bytes);
  const { member, state } = service;
  const { enabled, target } = state.members.downgrade;
  const { db } = member;
  const sizeBytes = db.sizeInPages * db.pageSize;
  const leader = member.leader;
  service.answer(answer, api.StatusResponse, {
    header: service.header(),
    version: SERVER_VERSION,
    dbSize: sizeBytes,
    dbSizeInUse: sizeBytes - db.freePages * db.pageSize,
    dbSizeQuota: service.limits.quotaBytes || QUOTA_BYTES_DEFAULT,
    leader,
    raftIndex: member.committedIndex,
    raftTerm: service.raftTerm,
    raftAppliedIndex: state.appliedIndex,
    errors: statusErrors(service),
    isLearner: state.members.get(member.ids.memberId)?.isLearner ?? false,
    storageVersion: state.members.storageVersion,
    downgradeInfo: enabled ? { enabled, targetVersion: target } : {},
  });
}

function statusErrors({ member, state }: Service): string[] {
  const alarms = state.alarms.list().map(alarmText);
  return member.leader === 0n ? [fail("noLeader").message, ...alarms] : alarms;
}

export function hashKv(service: Service, bytes: Uint8Array, answer: Answer): void {
  const { revision } = decodeMessage(api.HashKVRequest, bytes);
  const begun = service.member.now();
  service.run(service.state.store.hashKv(revision), (result) => {
    service.member.meters.hashRevision.observe((service.member.now() - begun) / 1000);
    if (typeof result === "string") answer.fail(fail(result));
    else {
      service.answer(answer, api.HashKVResponse, {
        header: service.header(),
        hash: result.hash,
        compactRevision: result.compactRevision,
        hashRevision: result.hashRevision,
      });
    }
  });
}

/** For tests: a hash over the whole page file of a member at rest. */
export function hash(service: Service, bytes: Uint8Array, answer: Answer): void {
  decodeMessage(api.HashRequest, bytes);
  const run = async () => {
    await service.member.committed();
    const begun = service.member.now();
    const value = await service.slicer.run(hashAll(service.member.db));
    service.member.meters.hash.observe((service.member.now() - begun) / 1000);
    service.answer(answer, api.HashResponse, { header: service.header(), hash: value });
  };
  service.member.spawn(run());
}

export function alarm(service: Service, bytes: Uint8Array, answer: Answer): void {
  const { action, alarm: type } = decodeMessage(api.AlarmRequest, bytes);
  if (action === api.ALARM_ACTION.GET) {
    service.linearizable(answer, () => {
      const alarms = [...service.state.alarms.list(type)];
      service.answer(answer, api.AlarmResponse, { header: service.header(), alarms });
    });
  } else if (action === api.ALARM_ACTION.ACTIVATE || action === api.ALARM_ACTION.DEACTIVATE) {
    service.member.propose(REQUEST.alarm, bytes, answer);
  } else {
    answer.fail({ code: CODE.unimplemented, message: `unknown alarm action ${action}` });
  }
}

/** An alarm as Status tells it: in protobuf's text form, which leaves out zeros. */
function alarmText({ memberID, alarm }: api.AlarmMember): string {
  const name = Object.entries(api.ALARM_TYPE).find(([, type]) => type === alarm)?.[0];
  const fields: string[] = [];
  if (memberID !== 0n) fields.push(`memberID:${memberID}`);
  if (alarm !== api.ALARM_TYPE.NONE) fields.push(`alarm:${name ?? alarm}`);
  return fields.join(" ");
}

/** Gives the free pages of the page file back, behind the requests. */
export function defragment(service: Service, bytes: Uint8Array, answer: Answer): void {
  decodeMessage(api.DefragmentRequest, bytes);
  const { member, lines, health, limits } = service;
  const run = async () => {
    lines.info("starting defragment");
    if (limits.stopsOnDefragment) health.stopServing("defrag is active");
    const begun = member.now();
    member.meters.defragmenting++;
    await member.defragment();
    member.meters.defragmenting--;
    member.meters.defragment.observe((member.now() - begun) / 1000);
    health.stopServing(undefined);
    lines.info("finished defragment");
    service.answer(answer, api.DefragmentResponse, {});
  };
  member.spawn(run());
}

export function downgrade(service: Service, bytes: Uint8Array, answer: Answer): void {
  const { action, version } = decodeMessage(api.DowngradeRequest, bytes);
  const { member, state } = service;
  const { versions } = member;
  const act = async (): Promise<Failure | undefined> => {
    switch (action) {
      case api.DOWNGRADE_ACTION.VALIDATE:
        return versions.refusalToDowngrade(version);
      case api.DOWNGRADE_ACTION.ENABLE:
        return versions.enableDowngrade(version);
      case api.DOWNGRADE_ACTION.CANCEL:
        await versions.cancelDowngrade();
        return undefined;
      default:
        return fail("unknownMethod");
    }
  };
  const done = act().then((failure) => {
    if (failure !== undefined) answer.fail(failure);
    else {
      service.answer(answer, api.DowngradeResponse, {
        header: service.header(),
        version: shortVersion(state.members.version),
      });
    }
  });
  member.spawn(done);
}

/** Gives the lead to another member, at the order of the leader's clients alone. */
export function moveLeader(service: Service, bytes: Uint8Array, answer: Answer): void {
  const { targetID } = decodeMessage(api.MoveLeaderRequest, bytes);
  const { member } = service;
  if (!member.leadership.isOwn) {
    answer.fail(fail("notLeader"));
    return;
  }
  const moved = member.leadership.move(targetID).then((failure) => {
    if (failure !== undefined) answer.fail(failure);
    else service.answer(answer, api.MoveLeaderResponse, {});
  });
  member.spawn(moved);
}

/** Streams a consistent image of the page file, then the SHA-256 of all of it. */
export function snapshot(service: Service, call: ServerCall): void {
  call.onMessage = (bytes) => {
    decodeMessage(api.SnapshotRequest, bytes);
    service.member.spawn(sendSnapshot(service, call));
  };
}

const BLOB_BYTES = 32 * 1024;

async function sendSnapshot(service: Service, call: ServerCall): Promise<void> {
  let isOver = false;
  call.onCancel = () => {
    isOver = true;
    resume();
  };
  let resume = () => {};
  call.onDrain = () => resume();
  const version = service.state.members.storageVersion;
  const image = await service.member.openSnapshot();
  const begun = service.member.now();
  try {
    for (let sent = 0; sent < image.sizeBytes && !isOver; ) {
      const blob = await image.read(Math.min(BLOB_BYTES, image.sizeBytes - sent));
      sent += blob.length;
      const remainingBytes = image.sizeBytes - sent;
      if (!sendBlob(call, { remainingBytes, blob, version })) {
        await new Promise<void>((drained) => {
          resume = drained;
        });
      }
    }
    if (isOver) return;
    sendBlob(call, { remainingBytes: 0, blob: image.digest(), version });
    service.member.meters.snapshotSend.observe((service.member.now() - begun) / 1000);
    call.end({ code: CODE.ok, message: "" });
  } finally {
    image.close();
  }
}

function sendBlob(
  call: ServerCall,
  message: { remainingBytes: number; blob: Uint8Array; version: string },
): boolean {
  return call.send(encodeMessage(api.SnapshotResponse, message));
}

import type { ServerCall } from "../grpc/index.ts";
import { api, type Schema } from "../proto/index.ts";
import type { Answer } from "./answer.ts";
import * as auth from "./auth.ts";
import { memberAdd, memberList, memberPromote, memberRemove, memberUpdate } from "./cluster.ts";
import * as election from "./election.ts";
import * as health from "./health.ts";
import * as kv from "./kv.ts";
import * as lease from "./lease.ts";
import * as lock from "./lock.ts";
import * as maintenance from "./maintenance.ts";
import { rangeStream } from "./range-stream.ts";
import { serverReflectionInfo } from "./reflection.ts";
import type { Service } from "./service.ts";
import { watch } from "./watch.ts";

type Serve = (service: Service, request: Uint8Array, answer: Answer) => void;
type ServeWaiting = (service: Service, request: Uint8Array, call: ServerCall) => void;
type ServeStream = (service: Service, call: ServerCall) => void;

export type Method =
  /** `learner`: which requests a learner serves too; none unless said. */
  | {
      readonly kind: "unary";
      readonly serve: Serve;
      readonly learner?: (request: Uint8Array) => boolean;
    }
  /** Unary, and may wait for other clients: it hears when its own has gone. */
  | { readonly kind: "waiting"; readonly serve: ServeWaiting }
  | { readonly kind: "stream"; readonly serve: ServeStream; readonly learner?: true }
  /** Known to etcd, and to be served later. */
  | { readonly kind: "later"; readonly request: Schema };

const unary = (serve: Serve): Method => ({ kind: "unary", serve });
const always = () => true;
/** What a learner serves, whose store may be far behind. */
const byLearners = (serve: Serve, learner: (request: Uint8Array) => boolean): Method => ({
  kind: "unary",
  serve,
  learner,
});
const waiting = (serve: ServeWaiting): Method => ({ kind: "waiting", serve });
const stream = (serve: ServeStream): Method => ({ kind: "stream", serve });
const later = (request: Schema): Method => ({ kind: "later", request });

/** The API on one page. */
export const METHODS: ReadonlyMap<string, Method> = new Map(
  Object.entries({
    "/etcdserverpb.KV/Range": byLearners(kv.range, kv.isSerializableRange),
    "/etcdserverpb.KV/RangeStream": stream(rangeStream),
    "/etcdserverpb.KV/Put": unary(kv.put),
    "/etcdserverpb.KV/DeleteRange": unary(kv.deleteRange),
    "/etcdserverpb.KV/Txn": unary(kv.txn),
    "/etcdserverpb.KV/Compact": unary(kv.compact),

    "/etcdserverpb.Watch/Watch": stream(watch),

    "/etcdserverpb.Lease/LeaseGrant": unary(lease.grant),
    "/etcdserverpb.Lease/LeaseRevoke": unary(lease.revoke),
    "/etcdserverpb.Lease/LeaseKeepAlive": stream(lease.keepAlive),
    "/etcdserverpb.Lease/LeaseTimeToLive": unary(lease.timeToLive),
    "/etcdserverpb.Lease/LeaseLeases": unary(lease.leases),

    "/etcdserverpb.Cluster/MemberList": unary(memberList),
    "/etcdserverpb.Cluster/MemberAdd": unary(memberAdd),
    "/etcdserverpb.Cluster/MemberRemove": unary(memberRemove),
    "/etcdserverpb.Cluster/MemberUpdate": unary(memberUpdate),
    "/etcdserverpb.Cluster/MemberPromote": unary(memberPromote),

    "/etcdserverpb.Maintenance/Status": byLearners(maintenance.status, always),
    "/etcdserverpb.Maintenance/Alarm": unary(maintenance.alarm),
    "/etcdserverpb.Maintenance/Hash": unary(maintenance.hash),
    "/etcdserverpb.Maintenance/HashKV": unary(maintenance.hashKv),
    "/etcdserverpb.Maintenance/Snapshot": {
      kind: "stream",
      serve: maintenance.snapshot,
      learner: true,
    },
    "/etcdserverpb.Maintenance/Defragment": unary(maintenance.defragment),
    "/etcdserverpb.Maintenance/MoveLeader": unary(maintenance.moveLeader),
    "/etcdserverpb.Maintenance/Downgrade": unary(maintenance.downgrade),

    "/etcdserverpb.Auth/AuthStatus": unary(auth.authStatus),
    "/etcdserverpb.Auth/AuthEnable": later(api.AuthEnableRequest),
    "/etcdserverpb.Auth/AuthDisable": later(api.AuthDisableRequest),
    "/etcdserverpb.Auth/Authenticate": later(api.AuthenticateRequest),
    "/etcdserverpb.Auth/UserAdd": later(api.AuthUserAddRequest),
    "/etcdserverpb.Auth/UserGet": unary(auth.userGet),
    "/etcdserverpb.Auth/UserList": unary(auth.userList),
    "/etcdserverpb.Auth/UserDelete": later(api.AuthUserDeleteRequest),
    "/etcdserverpb.Auth/UserChangePassword": later(api.AuthUserChangePasswordRequest),
    "/etcdserverpb.Auth/UserGrantRole": later(api.AuthUserGrantRoleRequest),
    "/etcdserverpb.Auth/UserRevokeRole": later(api.AuthUserRevokeRoleRequest),
    "/etcdserverpb.Auth/RoleAdd": later(api.AuthRoleAddRequest),
    "/etcdserverpb.Auth/RoleGet": unary(auth.roleGet),
    "/etcdserverpb.Auth/RoleList": unary(auth.roleList),
    "/etcdserverpb.Auth/RoleDelete": later(api.AuthRoleDeleteRequest),
    "/etcdserverpb.Auth/RoleGrantPermission": later(api.AuthRoleGrantPermissionRequest),
    "/etcdserverpb.Auth/RoleRevokePermission": later(api.AuthRoleRevokePermissionRequest),

    "/v3lockpb.Lock/Lock": waiting(lock.lock),
    "/v3lockpb.Lock/Unlock": waiting(lock.unlock),
    "/v3electionpb.Election/Campaign": waiting(election.campaign),
    "/v3electionpb.Election/Proclaim": waiting(election.proclaim),
    "/v3electionpb.Election/Leader": waiting(election.leader),
    "/v3electionpb.Election/Observe": stream(election.observe),
    "/v3electionpb.Election/Resign": waiting(election.resign),

    "/grpc.health.v1.Health/Check": unary(health.check),
    "/grpc.health.v1.Health/List": unary(health.list),
    "/grpc.health.v1.Health/Watch": stream(health.watch),
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": stream(serverReflectionInfo),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": stream(serverReflectionInfo),
  }),
);

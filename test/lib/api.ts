/** etcd's messages and services as the generated schemas: nothing here is quord's own codec. */
export * from "../../src/proto/gen/etcdserverpb/auth_pb.ts";
export * from "../../src/proto/gen/etcdserverpb/cluster_pb.ts";
export * from "../../src/proto/gen/etcdserverpb/kv_pb.ts";
export * from "../../src/proto/gen/etcdserverpb/lease_pb.ts";
export * from "../../src/proto/gen/etcdserverpb/maintenance_pb.ts";
export * from "../../src/proto/gen/etcdserverpb/watch_pb.ts";
export * from "../../src/proto/gen/mvccpb/kv_pb.ts";
export * from "../../src/proto/gen/v3electionpb/election_pb.ts";
export * from "../../src/proto/gen/v3lockpb/lock_pb.ts";

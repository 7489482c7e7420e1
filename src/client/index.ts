/**
 * A client of etcd's API: typed calls over gRPC to any member of a cluster, with watches and lease
 * keep-alives that survive a lost connection.
 */
export { auth } from "./auth.ts";
export { type MessageStream, type Streaming, type Unary, unary } from "./call.ts";
export { Client, type ClientOptions, describeError, type FailedAttempt } from "./client.ts";
export { cluster } from "./cluster.ts";
export { Deadline } from "./deadline.ts";
export { dial } from "./dial.ts";
export { Election } from "./election.ts";
export { parseEndpoint } from "./endpoint.ts";
export { FROM_KEY, kv, prefixEnd } from "./kv.ts";
export { keepAlive, keepAliveOnce, lease } from "./lease.ts";
export { maintenance } from "./maintenance.ts";
export { Mutex } from "./mutex.ts";
export { Session } from "./session.ts";
export {
  type ClientTls,
  type Dial,
  type DialOptions,
  type Peer,
  StatusError,
  type Transport,
} from "./transport.ts";
export { type WatchAnswer, Watcher } from "./watch.ts";

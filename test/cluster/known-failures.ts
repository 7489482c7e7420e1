/**
 * What clients of etcd meet while members are replaced: each of these was seen with etcd alone, in
 * runs of `npm run mixed -- --to etcd`. Chance decides which of them one run shows, so that a
 * comparison of two runs alone would find differences where there are none.
 */
export const KNOWN_FAILURES: ReadonlySet<string> = new Set([
  // The driver's own client, about connections.
  "1 Call cancelled",
  "4 deadline exceeded",
  "14 Connection dropped",
  "14 No connection established. Last error: Error: connect ECONNREFUSED ADDRESS. Resolution note: ",
  "14 etcdserver: leader changed",
  "14 etcdserver: no leader",
  "14 etcdserver: request timed out",
  "14 etcdserver: request timed out, possibly due to connection lost",
  "14 etcdserver: request timed out, possibly due to previous leader failure",
  "14 etcdserver: server stopped",
  "2 raft: stopped",
  "5 etcdserver: requested lease not found",
  "9 etcdserver: rpc not supported for learner",
  "watch: 14 Connection dropped",
  "watch: 14 No connection established. Last error: Error: connect ECONNREFUSED ADDRESS. Resolution note: ",
  "watch: 14 etcdserver: no leader",
]);

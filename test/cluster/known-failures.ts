/**
 * What clients of etcd meet while members are replaced: in how many of `WALKS` walks of
 * `npm run mixed -- --to etcd` each was seen. Chance decides which of them one walk shows, so that
 * a comparison of two walks alone would find differences where there are none.
 */
export const WALKS = 8;

const REFUSED = "14 No connection established. Last error: Error: connect ECONNREFUSED ADDRESS";

export const KNOWN_FAILURES: ReadonlyMap<string, number> = new Map([
  ["2 raft: stopped", 8],
  ["5 etcdserver: requested lease not found", 8],
  ["9 etcdserver: rpc not supported for learner", 8],
  ["14 etcdserver: leader changed", 8],
  ["14 etcdserver: request timed out", 8],
  ["14 etcdserver: request timed out, possibly due to connection lost", 5],
  ["14 etcdserver: request timed out, possibly due to previous leader failure", 8],
  ["14 etcdserver: server stopped", 2],
  // What the driver's own client says about connections.
  ["14 Connection dropped", 8],
  ["14 Stream refused by server", 2],
  ["14 read ECONNRESET", 4],
  [`${REFUSED}. Resolution note: `, 8],
  ["watch: 14 Connection dropped", 8],
  ["watch: 14 read ECONNRESET", 4],
  [`watch: ${REFUSED}. Resolution note: `, 8],
]);

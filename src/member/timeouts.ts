/** Until a request is given up (etcd: `ReqTimeout`). */
export const requestTimeoutMs = (electionMs: number): number => 5000 + 2 * electionMs;

/** For making a connection to another member (etcd: `peerDialTimeout`). */
export const dialTimeoutMs = (electionMs: number): number => 1000 + electionMs;

/**
 * What clients of etcd meet while members are replaced: in how many of `WALKS` walks of
 * `npm run mixed -- --to etcd` each was seen. Chance decides which of them one walk shows, so that
 * a comparison of two walks alone would find differences where there are none.
 */
export const WALKS = 1;

export const KNOWN_FAILURES: ReadonlyMap<string, number> = new Map([
  ["14 etcdserver: leader changed", 1],
]);

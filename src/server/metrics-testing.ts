/** Metrics that etcd shows and quord does not, and why. */
export const LEFT_OUT: readonly (readonly [why: string, names: RegExp])[] = [
  ["no Go", /^go_|^etcd_server_go_version$/],
  ["etcd's proxy, linked into its server", /^etcd_grpc_proxy_/],
  ["the store of the API before this one", /^etcd_debugging_store_/],
  ["events go from the hub to the streams at once: no loop, no queue", /_watch_send_loop_/],
  ["the same", /^etcd_debugging_mvcc_pending_events_total$/],
  ["pages are merged while the tree is written", /_commit_rebalance_/],
  ["the index is compacted in slices, without a pause", /_index_compaction_pause_/],
  ["the file of a snapshot has 200 bytes", /_snap_save_marshalling_/],
];

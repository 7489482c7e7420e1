/**
 * Links to the other members, in etcd's peer protocol: streams of messages each way, POSTs where
 * there is no stream, snapshots, probes, and the few questions that members ask each other over
 * HTTP. A `Transport` is the network of one member; `createPeerServer` answers its peers.
 */
export {
  type FetchedMembers,
  fetchDowngradeEnabled,
  fetchMembers,
  notReachedLines,
  version as fetchVersion,
  type Way,
} from "./calls.ts";
export { type Lines, REMOVED, type TransportOptions } from "./local.ts";
export type { Meters, Tally, Times } from "./meters.ts";
export { createPeerServer } from "./server.ts";
export { Transport } from "./transport.ts";

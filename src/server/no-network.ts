import type { NetworkPort } from "../member/index.ts";

const UNREACHED = Promise.resolve({ kind: "unreached", reason: "there are no peers" } as const);

/** The network of a member that is alone in its cluster. */
export const NO_NETWORK: NetworkPort = {
  send: () => {},
  sendSnapshot: (_message, image) => image.close(),
  setPeer: () => {},
  removePeer: () => {},
  activeSince: () => undefined,
  hashKv: () => UNREACHED,
  promote: () => UNREACHED,
  renewLease: () => UNREACHED,
  timeToLive: () => UNREACHED,
  version: () => UNREACHED,
  stop: () => Promise.resolve(),
};

/** What needs cryptography: other rooms reach it through ports or from the edge. */
export { clusterId, memberId } from "./identity.ts";

import { endOfPrefix } from "../base/index.ts";
import { api } from "../proto/index.ts";
import { streaming, unary } from "./call.ts";

/** Calls on keys. */
export const kv = {
  range: unary("/etcdserverpb.KV/Range", api.RangeRequest, api.RangeResponse, "repeatable"),
  rangeStream: streaming("/etcdserverpb.KV/RangeStream", api.RangeRequest, api.RangeStreamResponse),
  put: unary("/etcdserverpb.KV/Put", api.PutRequest, api.PutResponse),
  deleteRange: unary(
    "/etcdserverpb.KV/DeleteRange",
    api.DeleteRangeRequest,
    api.DeleteRangeResponse,
  ),
  txn: unary("/etcdserverpb.KV/Txn", api.TxnRequest, api.TxnResponse),
  compact: unary("/etcdserverpb.KV/Compact", api.CompactionRequest, api.CompactionResponse),
} as const;

/** As `rangeEnd`: everything from the key on. */
export const FROM_KEY: Uint8Array = Uint8Array.of(0);

/** The `rangeEnd` that takes in exactly the keys with this beginning. */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  return endOfPrefix(prefix) ?? FROM_KEY;
}

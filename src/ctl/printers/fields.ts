import { FieldLines, type Page } from "../../cli/index.ts";
import type { api } from "../../proto/index.ts";

/** The `fields` format of answers: with headers, pairs and ids. */
export class AnswerLines extends FieldLines {
  readonly hex: boolean;

  constructor(page: Page, hex: boolean) {
    super(page);
    this.hex = hex;
  }

  /** A cluster or member id. */
  id(name: string, value: bigint): void {
    this.add(name, this.hex ? value.toString(16) : value);
  }

  lease(name: string, value: bigint): void {
    this.add(name, this.hex ? leaseHex(value) : value);
  }

  header(header: api.ResponseHeader | undefined): void {
    this.id("ClusterID", header?.clusterId ?? 0n);
    this.id("MemberID", header?.memberId ?? 0n);
    // Only answers about keys have one.
    if (header !== undefined && header.revision > 0) this.add("Revision", header.revision);
    this.add("RaftTerm", header?.raftTerm ?? 0);
  }

  keyValue(prefix: "" | "Prev", kv: api.KeyValue): void {
    this.quoted(`${prefix}Key`, kv.key);
    this.add(`${prefix}CreateRevision`, kv.createRevision);
    this.add(`${prefix}ModRevision`, kv.modRevision);
    this.add(`${prefix}Version`, kv.version);
    this.quoted(`${prefix}Value`, kv.value);
    this.lease(`${prefix}Lease`, kv.lease);
  }
}

/** A lease id in hexadecimal, as all commands print and take it. */
export function leaseHex(id: bigint): string {
  return id < 0n ? `-${(-id).toString(16).padStart(15, "0")}` : id.toString(16).padStart(16, "0");
}

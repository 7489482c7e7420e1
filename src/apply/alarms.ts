import { copyBytes, EMPTY_BYTES } from "../base/index.ts";
import type { Bucket } from "../bolt/index.ts";
import { api, decodeMessage, encodeMessage } from "../proto/index.ts";

const { NONE, NOSPACE, CORRUPT } = api.ALARM_TYPE;

/**
 * Which member has raised which alarm. Replicated, and kept in the bucket `alarm`, whose keys are
 * encoded AlarmMembers; their values are empty. What misses a page has changed nothing.
 */
export class Alarms {
  #bucket: Bucket;
  #raised: api.AlarmMember[] = [];
  /** Somebody has no room left: whatever takes room is refused. */
  hasNoSpace = false;
  /** Somebody's data differs from that of the others: hardly anything may be written. */
  hasCorrupt = false;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  restore(): void {
    const cursor = this.#bucket.cursor();
    for (let found = cursor.first(); found; found = cursor.next()) {
      this.#raised.push(decodeMessage(api.AlarmMember, copyBytes(cursor.key)));
    }
    this.#changed();
  }

  /** Goes on as another one, which must not be used by itself any more. */
  become(other: Alarms): void {
    this.#bucket = other.#bucket;
    this.#raised = other.#raised;
    this.#changed();
  }

  /** Alarms of the type; of every type for `NONE`. */
  list(type: number = NONE): readonly api.AlarmMember[] {
    return type === NONE ? this.#raised : this.#raised.filter(({ alarm }) => alarm === type);
  }

  get(memberId: bigint, type: number): api.AlarmMember | undefined {
    return this.#raised.find(({ memberID, alarm }) => memberID === memberId && alarm === type);
  }

  /** Carries a request out, and answers with the alarms that it is about. */
  apply({ action, memberID, alarm }: api.AlarmRequest): readonly api.AlarmMember[] {
    switch (action) {
      case api.ALARM_ACTION.GET:
        return this.list(alarm);
      case api.ALARM_ACTION.ACTIVATE:
        return alarm === NONE ? [] : [this.#raise(memberID, alarm)];
      case api.ALARM_ACTION.DEACTIVATE:
        return this.#clear(memberID, alarm);
      default:
        return [];
    }
  }

  #raise(memberID: bigint, alarm: number): api.AlarmMember {
    const known = this.get(memberID, alarm);
    if (known !== undefined) return known;
    const raised = { memberID, alarm };
    this.#bucket.put(encodeMessage(api.AlarmMember, raised), EMPTY_BYTES);
    this.#raised.push(raised);
    this.#changed();
    return raised;
  }

  #clear(memberID: bigint, alarm: number): readonly api.AlarmMember[] {
    const known = this.get(memberID, alarm);
    if (known === undefined) return [];
    this.#bucket.delete(encodeMessage(api.AlarmMember, known));
    this.#raised = this.#raised.filter((other) => other !== known);
    this.#changed();
    return [known];
  }

  #changed(): void {
    this.hasNoSpace = this.list(NOSPACE).length > 0;
    this.hasCorrupt = this.list(CORRUPT).length > 0;
  }
}

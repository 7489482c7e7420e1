import type { Member } from "../../../src/member/index.ts";
import { MESSAGE_TYPE, type Message } from "../../../src/proto/index.ts";

/**
 * What a member has told others that it has, durably: votes and entries. After a power loss it must
 * still be there.
 */
export class Promises {
  #term = 0;
  /** Whom it has voted for in that term; 0 for nobody. */
  #vote = 0n;
  /** Up to where the leader of that term knows it to have its entries. */
  #index = 0;

  /** A message has left. */
  sent({ type, term, to, reject, index }: Message): void {
    if (reject || term < this.#term) return;
    if (type === MESSAGE_TYPE.voteResp) {
      this.#enter(term);
      this.#vote = to;
    } else if (type === MESSAGE_TYPE.appResp) {
      this.#enter(term);
      this.#index = Math.max(this.#index, index);
    }
  }

  #enter(term: number): void {
    if (term === this.#term) return;
    this.#term = term;
    this.#vote = 0n;
    this.#index = 0;
  }

  /** What a member that has just started has forgotten. */
  forgottenBy(member: Member): string | undefined {
    const { term, vote, lastIndex } = member.raftStatus();
    if (term < this.#term) return `term ${this.#term}, and knows of ${term}`;
    if (term > this.#term) return undefined;
    if (this.#vote !== 0n && vote !== this.#vote) {
      return `a vote for ${this.#vote.toString(16)}, and knows of one for ${vote.toString(16)}`;
    }
    if (lastIndex >= this.#index) return undefined;
    return `entry ${this.#index}, and its log ends at ${lastIndex}`;
  }
}

import type { TimePort } from "../member/index.ts";

/** Wall time that one turn of the event loop may spend on sliced work. */
const TURN_MS = 4;
/** What who asks for it has of every turn, also where others have used the turn up. */
const OWN_SHARE_MS = 2;

/** Time as the event loop has it. */
export class LoopTime implements TimePort {
  #turnBegan = 0;
  #isMarked = false;

  now(): number {
    return performance.now();
  }

  /** The first question in a turn starts its clock. */
  turnIsSpent(since = Number.NEGATIVE_INFINITY): boolean {
    const now = performance.now();
    if (!this.#isMarked) {
      this.#isMarked = true;
      this.#turnBegan = now;
      setImmediate(() => {
        this.#isMarked = false;
      });
      return false;
    }
    return now - this.#turnBegan >= TURN_MS && now - since >= OWN_SHARE_MS;
  }

  nextTurn(): Promise<void> {
    return new Promise((resume) => {
      setImmediate(resume);
    });
  }

  soon(work: () => void): void {
    setImmediate(work);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resume) => {
      setTimeout(resume, ms).unref();
    });
  }
}

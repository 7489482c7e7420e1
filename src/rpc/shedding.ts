import type { Slices } from "../mvcc/index.ts";
import type { MemoryPort } from "./service.ts";

/** What a read may gather in one slice, and more: a read of several slices is a heavy one. */
const SLICE_BYTES = 1024 * 1024;

/** Goes on with a read behind its first slice, and gives it up where memory is scarce. */
export function* shedding<T>(slices: Slices<T>, memory: MemoryPort): Slices<T | "tooManyRequests"> {
  try {
    for (;;) {
      if (!memory.admits(SLICE_BYTES)) return "tooManyRequests";
      const step = slices.next();
      if (step.done === true) return step.value;
      yield step.value;
    }
  } finally {
    slices.return(undefined as T);
  }
}

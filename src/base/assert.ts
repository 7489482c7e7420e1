/**
 * Stops the caller when a rule of the program itself is broken. Never used for bad input: an
 * assertion that fires is a bug, and the process must not go on.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** Marks the branch that the types say cannot be taken. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

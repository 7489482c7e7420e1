/**
 * Histories of clients and what must hold for them, whoever made them: real processes or the
 * simulation. `checkHistory` takes all operations and watches and says what was violated.
 */
export { checkHistory } from "./check.ts";
export {
  type Answer,
  type Change,
  type Compare,
  type History,
  type Operation,
  type Pair,
  type Request,
  type Span,
  type Told,
  type Watched,
  type Write,
} from "./types.ts";

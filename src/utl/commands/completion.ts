import { completionCommand } from "../../cli/index.ts";
import type { Utl } from "../utl.ts";

export const completion = (program: string) =>
  completionCommand<Utl>(program, (utl, text) => utl.out(text));

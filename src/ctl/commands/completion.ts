import { completionCommand } from "../../cli/index.ts";
import type { Ctl } from "../ctl.ts";

export const completion = (program: string) =>
  completionCommand<Ctl>(program, (ctl, text) => ctl.out(text));

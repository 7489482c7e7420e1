import { errnoText } from "../base/index.ts";

/** Why files of TLS cannot be used, as Go says it. */
export function tlsProblem(error: NodeJS.ErrnoException): string {
  if (error.path === undefined) return error.message;
  return `${error.syscall === "read" ? "read" : "open"} ${error.path}: ${errnoText(error)}`;
}

/** Paths as Go's `http.ServeMux` treats them: what is not clean is sent elsewhere. */

/** A path without doubled slashes and dots. */
export function cleanPath(path: string): string {
  if (path === "") return "/";
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  const clean = `/${parts.join("/")}`;
  return path.endsWith("/") && clean !== "/" ? `${clean}/` : clean;
}

/** Where a request for a path is sent instead; undefined when the path is well. */
export function redirection(path: string, folders: readonly string[]): string | undefined {
  const clean = cleanPath(path);
  if (folders.includes(`${clean}/`)) return `${clean}/`;
  return clean === path ? undefined : clean;
}

export function escapeHtml(text: string): string {
  const NAMES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  return text.replace(/[&<>"']/g, (c) => NAMES[c] ?? `&#${c.charCodeAt(0)};`);
}

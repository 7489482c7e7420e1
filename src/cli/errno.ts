const TEXTS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EISDIR: "is a directory",
  ENOTDIR: "not a directory",
  EROFS: "read-only file system",
  ENOSPC: "no space left on device",
  EEXIST: "file exists",
  EINVAL: "invalid argument",
};

/** The system's word for an error. */
export function errnoText(error: NodeJS.ErrnoException): string {
  return TEXTS[error.code ?? ""] ?? error.message;
}

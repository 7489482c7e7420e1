/** What Node says of a failed call of the system. */
export interface SystemError {
  readonly message: string;
  readonly code?: string | undefined;
  readonly syscall?: string | undefined;
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  readonly hostname?: string | undefined;
  /** One for each address that was tried. */
  readonly errors?: readonly SystemError[] | undefined;
}

const TEXTS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "cannot assign requested address",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by peer",
  EEXIST: "file exists",
  EHOSTUNREACH: "no route to host",
  EINVAL: "invalid argument",
  EISDIR: "is a directory",
  EMFILE: "too many open files",
  ENETUNREACH: "network is unreachable",
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on device",
  ENOTDIR: "not a directory",
  EPIPE: "broken pipe",
  EROFS: "read-only file system",
  ETIMEDOUT: "connection timed out",
};

/** The system's word for an error, as Go has it; undefined for one that is not of the system. */
export function errnoWord(code: string | undefined): string | undefined {
  return TEXTS[code ?? ""];
}

/** The same, or else what the error says. */
export function errnoText({ message, code }: Pick<SystemError, "message" | "code">): string {
  return errnoWord(code) ?? message;
}

/** What Go's `net` says where Node has this error of a connection. */
export function networkErrorText(error: SystemError): string {
  const first = error.errors?.[0];
  if (first !== undefined) return networkErrorText(first);
  const { message, code, syscall, address, port, hostname } = error;
  if (message === "socket hang up") return "EOF";
  if (syscall === "getaddrinfo" && hostname !== undefined) {
    return `dial tcp: lookup ${hostname}: ${code === "ENOTFOUND" ? "no such host" : SERVER}`;
  }
  if (syscall === undefined || errnoWord(code) === undefined) return message;
  const dialled = syscall === "connect" && address !== undefined;
  const where = dialled ? `dial ${goAddress(address, port)}: ` : "";
  return `${where}${syscall}: ${errnoText(error)}`;
}

/** Of a name that was asked for, and not answered. */
const SERVER = "server misbehaving";

/** The network and the address. */
function goAddress(address: string, port: number | undefined): string {
  if (port === undefined) return `unix ${address}`;
  return `tcp ${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** Where members of clusters to be find each other in a cluster that is there. */
const PREFIX = "/_etcd/registry";

/** Keys of etcd's discovery (v3) for one token. */
export function registryKeys(token: string): {
  readonly size: string;
  readonly members: string;
  readonly member: (hexId: string) => string;
} {
  const prefix = cleanPath(`${PREFIX}/${token}`);
  const members = `${prefix}/members`;
  return { size: `${prefix}/_config/size`, members, member: (hexId) => `${members}/${hexId}` };
}

/** As Go's `path.Join` makes it: a token may have slashes and dots. */
function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** The size of the cluster to be; undefined when the text is none. */
export function parseSize(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const size = Number(text);
  return size > 0 && size < 2 ** 63 ? size : undefined;
}

interface Registered {
  readonly key: string;
  /** `name=url,name=url`. */
  readonly urls: string;
  readonly createRevision: number;
}

/** Those who have registered, the first one first. */
export class Registry {
  readonly #prefix: string;
  #members: Registered[] = [];

  constructor(token: string) {
    this.#prefix = registryKeys(token).members;
  }

  get size(): number {
    return this.#members.length;
  }

  /** Takes one in, or says why not, in etcd's words. */
  add(member: Registered): string | undefined {
    if (!member.key.startsWith(this.#prefix)) return "invalid peer registry key";
    if (!member.urls.includes("=")) return "invalid peer info returned from discovery service";
    if (this.#members.some(({ key }) => key === member.key)) {
      return "found duplicate peer from discovery service";
    }
    this.#members = [...this.#members, member].sort((a, b) => a.createRevision - b.createRevision);
    return undefined;
  }

  /** Whether so many others were first that there is no room for this key. */
  isFullFor(key: string, size: number): boolean {
    const at = this.#members.findIndex((member) => member.key === key);
    return (at < 0 ? this.#members.length : at) >= size;
  }

  /** The members as `--initial-cluster` has them: no more than there is room for. */
  initialCluster(size: number): string {
    return this.#members
      .slice(0, size)
      .map(({ urls }) => urls)
      .join(",");
  }
}

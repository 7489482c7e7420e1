import { quoteText } from "./quote.ts";

/**
 * Why a text is no address of a member, in the words of Go's `url.Parse` and of etcd's own rules;
 * undefined when it is one.
 */
export function urlProblem(text: string): string | undefined {
  const url = text.trim();
  const [whole = "", ...fragment] = url.split("#");
  const syntax = syntaxProblem(whole);
  if (syntax !== undefined) return `parse ${quoteText(whole)}: ${syntax}`;
  const escape = escapeProblem(fragment.join("#"));
  if (escape !== undefined) return `parse ${quoteText(url)}: ${escape}`;
  const { scheme, authority, path } = split(whole);
  if (scheme === "unix" || scheme === "unixs") return undefined;
  if (scheme !== "http" && scheme !== "https") {
    return `URL scheme must be http, https, unix, or unixs: ${url}`;
  }
  const host = authority?.slice(authority.lastIndexOf("@") + 1) ?? "";
  if (!/^(\[[^[\]]*\]|[^:[\]]*):[^[\]]*$/.test(host)) {
    return `URL address does not have the form "host:port": ${url}`;
  }
  return path === "" ? undefined : `URL must not contain a path: ${url}`;
}

interface Parts {
  /** Empty when there is none, in lower case. */
  readonly scheme: string;
  /** Undefined without `//`. */
  readonly authority: string | undefined;
  /** What follows the scheme, without the authority and the query. */
  readonly path: string;
}

function split(url: string): Parts {
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(url)?.[1] ?? "";
  const rest = url.slice(scheme === "" ? 0 : scheme.length + 1).split("?", 1)[0]!;
  const hasAuthority = rest.startsWith("//") && (scheme !== "" || !rest.startsWith("///"));
  const end = hasAuthority ? (rest + "/").indexOf("/", 2) : 0;
  // What does not begin with a slash is opaque: no path, and no part of it is looked at.
  const path = scheme !== "" && !rest.startsWith("/") ? "" : rest.slice(end);
  return {
    scheme: scheme.toLowerCase(),
    authority: hasAuthority ? rest.slice(2, end) : undefined,
    path,
  };
}

function syntaxProblem(url: string): string | undefined {
  if ([...url].some(isControl)) return "net/url: invalid control character in URL";
  if (url.startsWith(":")) return "missing protocol scheme";
  const { scheme, authority, path } = split(url);
  if (scheme === "" && path.split("/", 1)[0]!.includes(":")) {
    return "first path segment in URL cannot contain colon";
  }
  if (authority === undefined) return escapeProblem(path);
  const at = authority.lastIndexOf("@");
  return (
    hostProblem(scheme, authority.slice(at + 1)) ??
    (at < 0 ? undefined : userProblem(authority.slice(0, at))) ??
    escapeProblem(path)
  );
}

const isControl = (character: string) => character < " " || character === "\x7f";

function hostProblem(scheme: string, host: string): string | undefined {
  const open = host.lastIndexOf("[");
  if (open > 0) return "invalid IP-literal";
  if (open === 0) return literalProblem(host);
  const first = host.indexOf(":");
  const strict = scheme === "http" || scheme === "https";
  const at = strict ? first : host.lastIndexOf(":");
  return (at < 0 ? undefined : portProblem(host.slice(at))) ?? hostEscapeProblem(host);
}

/** An address in brackets, and perhaps a port. */
function literalProblem(host: string): string | undefined {
  const close = host.lastIndexOf("]");
  if (close < 0) return "missing ']' in host";
  const address = host.slice(1, close);
  const problem = portProblem(host.slice(close + 1)) ?? hostEscapeProblem(address);
  if (problem !== undefined || isIPv6(address)) return problem;
  if (/^\d+\.\d+\.\d+\.\d+$/.test(address)) return "invalid IP-literal";
  return `invalid host: ParseAddr(${quoteText(address)}): unable to parse IP`;
}

/** With a zone, perhaps. Not by `node:net`, which takes long to load. */
function isIPv6(address: string): boolean {
  return URL.canParse(`http://[${address.split("%25", 1)[0]}]`);
}

function portProblem(port: string): string | undefined {
  return /^(:[0-9]*)?$/.test(port) ? undefined : `invalid port ${quoteText(port)} after host`;
}

function userProblem(user: string): string | undefined {
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user)) return "net/url: invalid userinfo";
  return escapeProblem(user);
}

function escapeProblem(text: string): string | undefined {
  const bad = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(text);
  return bad === null ? undefined : `invalid URL escape ${quoteText(bad[0])}`;
}

/** Names of hosts may escape bytes that are not ASCII, and no others. */
function hostEscapeProblem(host: string): string | undefined {
  const bad =
    /%(?![89a-fA-F][0-9a-fA-F]|25).{0,2}|[^A-Za-z0-9!"$&'()*+,\-.:;<=>[\]_~%\u0080-\uffff]/;
  const found = bad.exec(host)?.[0];
  if (found === undefined) return undefined;
  return found.startsWith("%")
    ? `invalid URL escape ${quoteText(found)}`
    : `invalid character ${quoteText(found)} in host name`;
}

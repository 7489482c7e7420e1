import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { urlProblem } from "./go-url.ts";

// As etcdctl 3.7.3, built with Go 1.26, answers them.
const form = (url: string) => `URL address does not have the form "host:port": ${url}`;
const scheme = (url: string) => `URL scheme must be http, https, unix, or unixs: ${url}`;
const parse = (url: string, why: string) => `parse ${JSON.stringify(url)}: ${why}`;

const CASES: readonly (readonly [url: string, problem: string | undefined])[] = [
  ["http://a:1", undefined],
  [" https://[::1]:2380 ", undefined],
  ["unix://any/path", undefined],
  ["http://a:1?query", undefined],
  ["http://user@a:1", undefined],
  ["http://a:", undefined],
  ["HTTP://a:1", undefined],
  ["notaurl", scheme("notaurl")],
  ["", scheme("")],
  ["a:1", scheme("a:1")],
  ["http://a", form("http://a")],
  ["http:a:1", form("http:a:1")],
  ["http://[::1]", form("http://[::1]")],
  ["http://a:1/", "URL must not contain a path: http://a:1/"],
  ["http://a:1/b", "URL must not contain a path: http://a:1/b"],
  ["127.0.0.1:2380", parse("127.0.0.1:2380", "first path segment in URL cannot contain colon")],
  [":1", parse(":1", "missing protocol scheme")],
  ["http://a:x", parse("http://a:x", 'invalid port ":x" after host')],
  ["http://a:1:2", parse("http://a:1:2", 'invalid port ":1:2" after host')],
  ["http://[::1", parse("http://[::1", "missing ']' in host")],
  ["http://a[b]", parse("http://a[b]", "invalid IP-literal")],
  ["http://[1.2.3.4]:1", parse("http://[1.2.3.4]:1", "invalid IP-literal")],
  ["http://a b:1", parse("http://a b:1", 'invalid character " " in host name')],
  ["http://%41:1", parse("http://%41:1", 'invalid URL escape "%41"')],
  ["http://a:1/%zz", parse("http://a:1/%zz", 'invalid URL escape "%zz"')],
  ["http://a:1#%zz", parse("http://a:1#%zz", 'invalid URL escape "%zz"')],
  ["http://u<@a:1", parse("http://u<@a:1", "net/url: invalid userinfo")],
  ["http://a\tb:1", parse("http://a\tb:1", "net/url: invalid control character in URL")],
];

test("addresses are refused in Go's words and etcd's", () => {
  for (const [url, problem] of CASES) assert.equal(urlProblem(url), problem, url);
});

test("whatever is no address has a problem, and nothing throws", () => {
  const parts = fc.constantFrom(..."http://a:1 []@?#%z0\u00e9\t<".split(""), "https:", "::1");
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 20 }), (pieces) => {
      const url = pieces.join("");
      const problem = urlProblem(url);
      if (problem === undefined) assert.match(url.trim(), /^(https?|unixs?):/i);
      else assert.ok(problem.length > 0);
    }),
  );
});

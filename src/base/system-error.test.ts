import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { networkErrorText, type SystemError } from "./index.ts";

/** Why Node cannot connect. */
function failing(to: { path: string } | { host: string; port: number }): Promise<SystemError> {
  return new Promise((resolve) => {
    connect(to).on("error", (error) => resolve(error));
  });
}

test("what Node cannot reach is told as Go tells it", async () => {
  const refused = await failing({ host: "127.0.0.1", port: 1 });
  assert.equal(networkErrorText(refused), "dial tcp 127.0.0.1:1: connect: connection refused");
  const none = await failing({ path: "/nonexistent/socket" });
  assert.equal(
    networkErrorText(none),
    "dial unix /nonexistent/socket: connect: no such file or directory",
  );
});

test("errors of a connection have Go's texts, all others their own", () => {
  const error = (code: string, syscall: string, more: object = {}): SystemError => ({
    message: `${syscall} ${code}`,
    code,
    syscall,
    ...more,
  });
  const refused = error("ECONNREFUSED", "connect", { address: "::1", port: 2380 });
  const cases: readonly (readonly [SystemError, string])[] = [
    [refused, "dial tcp [::1]:2380: connect: connection refused"],
    // A name with two addresses.
    [{ message: "", code: "ECONNREFUSED", errors: [refused] }, networkErrorText(refused)],
    [error("ENOTFOUND", "getaddrinfo", { hostname: "m1" }), "dial tcp: lookup m1: no such host"],
    [error("ECONNRESET", "read"), "read: connection reset by peer"],
    [error("EPIPE", "write"), "write: broken pipe"],
    [{ message: "socket hang up", code: "ECONNRESET" }, "EOF"],
    [{ message: "i/o timeout" }, "i/o timeout"],
    [error("EUNHEARD", "connect"), "connect EUNHEARD"],
  ];
  for (const [from, text] of cases) assert.equal(networkErrorText(from), text);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { textToBytes } from "../base/index.ts";
import { ResponseParser } from "./response-parser.ts";

interface Parsed {
  status: number;
  fields: Record<string, string>;
  body: string;
  isEnded: boolean;
}

function parsed(text: string, cuts: readonly number[] = []): Parsed {
  const found: Parsed = { status: 0, fields: {}, body: "", isEnded: false };
  const parser = new ResponseParser({
    head: ({ status, fields }) => Object.assign(found, { status, fields: { ...mapOf(fields) } }),
    body: (bytes) => {
      found.body += Buffer.from(bytes).toString("latin1");
    },
    end: () => {
      found.isEnded = true;
    },
  });
  const bytes = textToBytes(text);
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  let at = 0;
  for (const end of ends) {
    parser.feed(bytes.subarray(at, end));
    at = end;
  }
  return found;
}

const mapOf = (map: ReadonlyMap<string, string>) => Object.fromEntries(map);

const CHUNKED =
  "HTTP/1.1 200 OK\r\nX-Server-Version: 3.7.3\r\nTransfer-Encoding: chunked\r\n\r\n" +
  "5\r\nhello\r\n0000001C;a=b\r\n, this is a body in chunks..\r\n0\r\nTrailer: x\r\n\r\nignored";

test("a body in chunks is read however it is cut", () => {
  const whole = {
    status: 200,
    fields: { "x-server-version": "3.7.3", "transfer-encoding": "chunked" },
    body: "hello, this is a body in chunks..",
    isEnded: true,
  };
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 20 }), (cuts) => {
      assert.deepEqual(parsed(CHUNKED, cuts), whole);
    }),
  );
});

test("a body ends with its length, with the connection, or is none", () => {
  const head = "HTTP/1.1 412 Precondition Failed\r\n";
  assert.deepEqual(parsed(`${head}Content-Length: 3\r\n\r\nabcd`).body, "abc");
  assert.ok(parsed(`${head}Content-Length: 0\r\n\r\n`).isEnded);
  assert.ok(!parsed(`${head}Content-Length: 3\r\n\r\nab`).isEnded);
  assert.deepEqual(parsed(`${head}\r\nabcd`).body, "abcd");
  assert.ok(parsed("HTTP/1.1 204 No Content\r\n\r\n").isEnded);
});

test("an interim response is passed over", () => {
  const text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 Not Found\r\nContent-Length: 1\r\n\r\nx";
  assert.equal(parsed(text).status, 404);
});

test("what is no response is refused", () => {
  for (const text of [
    "\r\n",
    "SSH-2.0\r\n\r\n",
    "HTTP/2 200\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
    `HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}`,
  ]) {
    assert.throws(() => parsed(text), /malformed HTTP response/, text.slice(0, 60));
  }
});

test("any bytes are a response or an error", () => {
  const mangled = fc.tuple(fc.nat(), fc.string({ minLength: 1, maxLength: 3 })).map((drawn) => {
    const [at, put] = drawn;
    const place = at % CHUNKED.length;
    return CHUNKED.slice(0, place) + put + CHUNKED.slice(place + put.length);
  });
  fc.assert(
    fc.property(fc.oneof(fc.string(), mangled), fc.array(fc.nat()), (text, cuts) => {
      try {
        parsed(text, cuts);
      } catch (error) {
        assert.match(String(error), /malformed HTTP response/);
      }
    }),
    { numRuns: 500 },
  );
});

/** HTTP/1.1 as bytes on a socket: what node:http's client will not do. */
import { connect } from "node:net";
import { dechunk } from "../lib/chunked.ts";

const ANSWER_TIMEOUT_MS = 10_000;

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly chunked: boolean;
}

export interface RawAnswer {
  readonly status: number;
  readonly body: string;
}

/** All requests in one write on one connection, and their answers in the order they came. */
export function pipelined(endpoint: string, requests: readonly RawRequest[]): Promise<RawAnswer[]> {
  const [host, port] = endpoint.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect({ host: host!, port: Number(port) });
    let received = Buffer.alloc(0);
    const done = () => {
      socket.destroy();
      const methods = requests.map(({ method }) => method);
      resolve(parse(received, methods));
    };
    socket.setTimeout(ANSWER_TIMEOUT_MS, done);
    socket.on("error", reject);
    socket.on("end", done);
    socket.on("data", (chunk) => (received = Buffer.concat([received, chunk])));
    const last = requests.length - 1;
    socket.write(requests.map((request, i) => encode(request, host!, i === last)).join(""));
  });
}

function encode(
  { method, path, body, chunked }: RawRequest,
  host: string,
  isLast: boolean,
): string {
  const head = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, "Content-Type: application/json"];
  if (isLast) head.push("Connection: close");
  head.push(chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${Buffer.byteLength(body)}`);
  const middle = body.length >>> 1;
  const chunk = (part: string) => `${part.length.toString(16)}\r\n${part}\r\n`;
  const framed = chunked
    ? `${chunk(body.slice(0, middle))}${chunk(body.slice(middle))}0\r\n\r\n`
    : body;
  return `${head.join("\r\n")}\r\n\r\n${framed}`;
}

/** Answers back to back; the one that is cut off is left out. */
function parse(bytes: Buffer, methods: readonly string[]): RawAnswer[] {
  const answers: RawAnswer[] = [];
  for (let at = 0; at < bytes.length && answers.length < methods.length; ) {
    const headEnd = bytes.indexOf("\r\n\r\n", at);
    if (headEnd < 0) break;
    const head = bytes.toString("latin1", at, headEnd).toLowerCase();
    const status = Number(head.split(" ")[1]);
    at = headEnd + 4;
    if (status === 100) continue;
    const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
    const isChunked = head.includes("\r\ntransfer-encoding: chunked");
    const { body, end } = isChunked
      ? dechunk(bytes, at)
      : { body: bytes.subarray(at, at + length), end: at + length };
    answers.push({ status, body: body.toString("utf8") });
    at = end;
  }
  return answers;
}

/** The smallest client there is: one linearizable range over node:http2, to see whether a server answers. */
import { connect } from "node:http2";

/** A message frame around RangeRequest { key: "\0" }. */
const RANGE = Uint8Array.of(0, 0, 0, 0, 3, 0x0a, 1, 0);
const ANSWER_TIMEOUT_MS = 10_000;

/** Whether the server on a local port answers a linearizable read with success. Never rejects. */
export function answers(port: number, timeoutMs = ANSWER_TIMEOUT_MS): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connect(`http://127.0.0.1:${port}`);
    const timer = setTimeout(() => done(false), timeoutMs);
    const done = (answer: boolean) => {
      clearTimeout(timer);
      session.destroy();
      resolve(answer);
    };
    session.on("error", () => done(false));
    session.on("close", () => done(false));
    const stream = session.request({
      ":method": "POST",
      ":path": "/etcdserverpb.KV/Range",
      "content-type": "application/grpc",
      te: "trailers",
    });
    let status: string | undefined;
    const read = (headers: Record<string, unknown>) => {
      const value = headers["grpc-status"];
      if (value !== undefined) status = String(value);
    };
    stream.on("response", read);
    stream.on("trailers", read);
    stream.on("error", () => done(false));
    stream.on("end", () => done(status === "0"));
    stream.resume();
    stream.end(RANGE);
  });
}

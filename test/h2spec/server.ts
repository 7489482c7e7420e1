/**
 * A small server for conformance tools and load generators: an empty reply to each put, and an
 * echo for every plain HTTP/2 request.
 *
 *   node test/h2spec/server.ts PORT
 */
import { createServer } from "node:http";
import type { PlainCall, ServerCall } from "../../src/grpc/index.ts";
import { GrpcServer } from "../../src/http/grpc-server.ts";
import { Listener } from "../../src/net/index.ts";

const EMPTY = new Uint8Array(0);

function replyEmpty(_message: Uint8Array, call: ServerCall): void {
  call.reply(EMPTY);
}

/** Answers once the request is complete, with its body. */
function echo(call: PlainCall): void {
  const body: Buffer[] = [];
  call.onData = (bytes) => body.push(Buffer.from(bytes));
  call.onEnd = () => {
    call.respond(200, [["content-type", "text/plain"]]);
    call.write(Buffer.concat([...body, Buffer.from("\n")]));
    call.end();
  };
}

const grpc = new GrpcServer({
  methods: new Set(["/etcdserverpb.KV/Put", "/etcdserverpb.KV/Range"]),
  onCall: (call) => {
    call.onMessage = replyEmpty;
  },
  onPlain: echo,
});
const listener = new Listener({
  onHttp2: (socket, head, ready) => grpc.accept(socket, head, ready),
  http1: () => createServer((_request, response) => response.end("http/1\n")),
});
await listener.listen({
  kind: "tcp",
  secure: false,
  host: "127.0.0.1",
  port: Number(process.argv[2] ?? 0),
});
process.stdout.write(`listening on 127.0.0.1:${listener.port}\n`);
process.on("SIGTERM", () => process.exit(0));

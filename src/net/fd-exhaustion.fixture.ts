import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Listener } from "./index.ts";

/**
 * Run with few file descriptors: opens connections to a listener of its own until there are none
 * left, waits, lets them go, and tells whether the listener still serves and how busy it was.
 */
const listener = new Listener({
  onHttp2: (socket, head, ready) => {
    ready();
    socket.end(`h2 ${head.length}`);
  },
});
await listener.listen({ kind: "tcp", secure: false, host: "127.0.0.1", port: 0 });

function dial(): Socket {
  return connect(listener.port, "127.0.0.1").on("error", () => {});
}

const sockets = Array.from({ length: 60 }, dial);
await new Promise((resolve) => setTimeout(resolve, 300));
const before = process.cpuUsage();
await new Promise((resolve) => setTimeout(resolve, 800));
const busy = process.cpuUsage(before);
for (const socket of sockets) socket.destroy();
await new Promise((resolve) => setTimeout(resolve, 200));
const socket = dial();
socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const [served] = (await once(socket, "data")) as [Buffer];
const busyMs = (busy.user + busy.system) / 1000;
process.stdout.write(JSON.stringify({ served: served.toString(), busyMs }));
process.exit(0);

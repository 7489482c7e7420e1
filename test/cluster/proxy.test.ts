import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { test } from "node:test";
import { Prng } from "../../src/base/index.ts";
import { Proxy } from "./proxy.ts";

test("a bad line delays what it carries, and keeps its bytes and their order", async (t) => {
  const echo = createServer((socket) => socket.pipe(socket));
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  const proxy = new Proxy(new Prng(1));
  const port = await proxy.before((echo.address() as AddressInfo).port);
  t.after(() => {
    proxy.close();
    echo.close();
  });
  proxy.set({ delayMs: 4, jitterMs: 4, loss: 0.1 });
  const socket = connect(port, "127.0.0.1");
  const heard: Buffer[] = [];
  socket.on("data", (piece) => heard.push(piece));
  const closed = once(socket, "close");
  const said = Array.from({ length: 60 }, (_, i) => Buffer.from(`piece ${i};`));
  for (const piece of said) {
    socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  socket.end();
  await closed;
  assert.equal(Buffer.concat(heard).toString(), Buffer.concat(said).toString());
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { fail } from "../proto/index.ts";
import { type FakeStream, fakeClient, watchAnswer, watchRequest } from "./testing.ts";
import { StatusError } from "./transport.ts";
import { Watcher } from "./watch.ts";

const key = (text: string) => Buffer.from(text);
const put = (revision: number) => ({ kv: { key: key("k"), modRevision: revision } });

/** A server that says yes to every watch; `play` then decides what comes on each connection. */
function watchServer(play: (stream: FakeStream, connection: number) => void) {
  const created: { startRevision: number }[] = [];
  let connections = 0;
  const client = fakeClient({
    stream: (_path, stream) => {
      const connection = connections++;
      let ids = 0;
      stream.onSend = (bytes) => {
        const { createRequest, progressRequest } = watchRequest(bytes);
        if (progressRequest !== undefined) {
          stream.answer(watchAnswer({ header: { revision: 9 }, watchId: -1 }));
        }
        if (createRequest === undefined) return;
        created.push({ startRevision: createRequest.startRevision });
        const header = { revision: 5 };
        stream.answer(watchAnswer({ header, watchId: ids++, created: true }));
        play(stream, connection);
      };
    },
  });
  return { client, created };
}

test("after a lost connection a watch goes on behind the last event", async () => {
  const { client, created } = watchServer((stream, connection) => {
    const revision = connection === 0 ? 6 : 8;
    stream.answer(
      watchAnswer({ header: { revision }, events: [put(revision - 1), put(revision)] }),
    );
    if (connection === 0) stream.finish(new StatusError(14, "connection lost"));
  });
  const watcher = new Watcher(client);
  const seen: number[] = [];
  for await (const answer of watcher.watch({ key: key("k") })) {
    seen.push(...answer.events.map((event) => event.kv!.modRevision));
    if (seen.length === 4) break;
  }
  assert.deepEqual(seen, [5, 6, 7, 8]);
  assert.deepEqual(created, [{ startRevision: 0 }, { startRevision: 7 }]);
  watcher.close();
});

test("a watch from now that saw nothing yet goes on from where it was created", async () => {
  const { client, created } = watchServer((stream, connection) => {
    if (connection === 0) stream.finish("ok");
    else stream.answer(watchAnswer({ header: { revision: 6 }, events: [put(6)] }));
  });
  const watcher = new Watcher(client);
  await watcher.watch({ key: key("k") }).next();
  assert.deepEqual(created, [{ startRevision: 0 }, { startRevision: 6 }]);
  watcher.close();
});

test("a cancelled watch says why, and ends", async () => {
  const reasons: readonly (readonly [answer: object, error: string])[] = [
    [{ compactRevision: 4 }, fail("compacted").message],
    [{ cancelReason: "etcdserver: permission denied" }, "etcdserver: permission denied"],
  ];
  for (const [extra, error] of reasons) {
    const { client } = watchServer((stream) => {
      stream.answer(watchAnswer({ canceled: true, ...extra }));
    });
    const watcher = new Watcher(client);
    const answers = [];
    for await (const answer of watcher.watch({ key: key("k") })) answers.push(answer.error);
    assert.deepEqual(answers, [error]);
    watcher.close();
  }
});

test("an error that will not pass ends all watches", async () => {
  const { client } = watchServer((stream) => {
    stream.finish(new StatusError(7, "etcdserver: permission denied"));
  });
  const watcher = new Watcher(client);
  const { value } = await watcher.watch({ key: key("k") }).next();
  assert.equal(value!.error, "etcdserver: permission denied");
  assert.equal(value!.canceled, true);
  watcher.close();
});

test("progress is told to every watch of the stream", async () => {
  const { client } = watchServer(() => {});
  const watcher = new Watcher(client);
  const first = watcher.watch({ key: key("a") });
  const second = watcher.watch({ key: key("b") });
  watcher.requestProgress();
  for (const answers of [first, second]) {
    const { value } = await answers.next();
    assert.deepEqual([value!.header!.revision, value!.events], [9, []]);
  }
  watcher.close();
});

/** The gateway's streams over WebSocket. */

const ANSWER_TIMEOUT_MS = 10_000;

/** Opens, sends all messages, and closes once what came back is enough. Resolves to what came. */
export function webSocket(
  url: string,
  messages: readonly string[],
  isOver: (received: readonly string[]) => boolean,
  protocols: readonly string[] = [],
): Promise<string[]> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, [...protocols]);
    const received: string[] = [];
    const done = () => {
      clearTimeout(timer);
      socket.close();
      resolve([...received]);
    };
    const timer = setTimeout(done, ANSWER_TIMEOUT_MS);
    socket.addEventListener("open", () => {
      for (const message of messages) socket.send(message);
    });
    socket.addEventListener("message", ({ data }) => {
      received.push(String(data));
      if (isOver(received)) done();
    });
    socket.addEventListener("error", () => received.push("<error>"));
    socket.addEventListener("close", ({ code }) => {
      received.push(`<closed ${code}>`);
      done();
    });
  });
}

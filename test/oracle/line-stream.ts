/** A response over HTTP/1.1 that goes on for long: one JSON text a line. */
import { request, type ClientRequest, type IncomingMessage } from "node:http";
import { once } from "node:events";

const LINE_TIMEOUT_MS = 20_000;

export class LineStream {
  readonly #request: ClientRequest;
  #lines: string[] = [];
  #rest = "";
  #wake = () => {};

  private constructor(request: ClientRequest, response: IncomingMessage) {
    this.#request = request;
    response.setEncoding("utf8");
    response.on("error", () => {});
    response.on("data", (text: string) => {
      const lines = (this.#rest + text).split("\n");
      this.#rest = lines.pop()!;
      this.#lines.push(...lines.filter((line) => line !== ""));
      this.#wake();
    });
  }

  /** Resolves when the head of the answer is there; it may need something to happen first. */
  static async open(
    endpoint: string,
    path: string,
    body: string,
    { onSent = () => {} }: { readonly onSent?: () => unknown } = {},
  ): Promise<LineStream> {
    const headers = { "content-type": "application/json" };
    const sent = request(`http://${endpoint}${path}`, { method: "POST", agent: false, headers });
    sent.on("error", () => {});
    sent.end(body);
    void onSent();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    return new LineStream(sent, response);
  }

  /** All lines since the last call, up to one that holds the mark; rejects when it never comes. */
  async takeUntil(mark: string): Promise<string[]> {
    const deadline = performance.now() + LINE_TIMEOUT_MS;
    for (;;) {
      const at = this.#lines.findIndex((line) => line.includes(mark));
      if (at >= 0) return this.#lines.splice(0, at + 1);
      if (performance.now() > deadline) throw new Error(`no line with ${mark}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  close(): void {
    this.#request.destroy();
  }
}

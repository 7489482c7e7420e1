/**
 * A bad line between members: stands between the peer port that a member advertises and the one it
 * listens on. TCP gives what was lost again, later, and in order; so that is what a loss is here.
 * Connections differ in their delays, and so the messages on one overtake those on another.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Prng } from "../../src/base/index.ts";
import { freePort } from "../lib/processes.ts";

/** Bytes under way in one direction of one connection; at the bound the sender waits. */
const UNDER_WAY_MAX = 8 * 1024 * 1024;
/** When TCP sends again what was lost: as soon as it misses an answer; then after its timeouts. */
const RESEND_MS = [20, 200, 400, 800];

export interface Line {
  delayMs: number;
  /** Up to so much more or less, drawn for each piece. */
  jitterMs: number;
  /** The part of all pieces that is lost, and sent again later. */
  loss: number;
  /** Connections break, and new ones are refused. */
  isDown: boolean;
}

export class Proxy {
  readonly line: Line = { delayMs: 0, jitterMs: 0, loss: 0, isDown: false };
  readonly #prng: Prng;
  readonly #sockets = new Set<Socket>();
  readonly #servers: Server[] = [];

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  /** Listens for a member that listens on a port. Returns the port to tell the others. */
  async before(target: number): Promise<number> {
    const port = await freePort();
    const server = createServer({ allowHalfOpen: true }, (near) => this.#join(near, target));
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return port;
  }

  set(line: Partial<Line>): void {
    Object.assign(this.line, { delayMs: 0, jitterMs: 0, loss: 0, isDown: false }, line);
    if (this.line.isDown) for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.set({ isDown: true });
    for (const server of this.#servers) server.close();
  }

  #join(near: Socket, target: number): void {
    if (this.line.isDown) {
      near.destroy();
      return;
    }
    const far = connect({ port: target, host: "127.0.0.1", allowHalfOpen: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on("error", () => {});
      from.on("close", (hadError) => {
        this.#sockets.delete(from);
        // A good end waits behind what is still under way.
        if (hadError) to.destroy();
      });
      this.#carry(from, to);
    }
  }

  /** One direction of one connection. */
  #carry(from: Socket, to: Socket): void {
    const queue: { readonly due: number; readonly piece: Buffer | undefined }[] = [];
    let underWay = 0;
    let due = 0;
    const deliver = () => {
      while (queue.length > 0 && queue[0]!.due <= performance.now()) {
        const { piece } = queue.shift()!;
        underWay -= piece?.length ?? 0;
        if (underWay <= UNDER_WAY_MAX) from.resume();
        if (piece === undefined) to.end();
        else if (!to.destroyed) to.write(piece);
      }
      // Timers may be early by the part of a millisecond that they ignore.
      if (queue.length > 0) setTimeout(deliver, Math.ceil(queue[0]!.due - performance.now()));
    };
    const add = (piece: Buffer | undefined) => {
      const now = performance.now();
      const { delayMs, jitterMs } = this.line;
      // What waits for a lost piece arrives with it.
      const isBehind = due > now + delayMs + jitterMs;
      due = Math.max(due, now + this.#drawDelay() + (isBehind ? 0 : this.#drawLoss()));
      queue.push({ due, piece });
      if (queue.length === 1) deliver();
    };
    from.on("data", (piece) => {
      underWay += piece.length;
      if (underWay > UNDER_WAY_MAX) from.pause();
      add(piece);
    });
    from.on("end", () => add(undefined));
  }

  #chance(): number {
    return this.#prng.below(1_000_000) / 1_000_000;
  }

  #drawDelay(): number {
    const { delayMs, jitterMs } = this.line;
    return Math.max(0, delayMs + (this.#chance() * 2 - 1) * jitterMs);
  }

  #drawLoss(): number {
    let lostMs = 0;
    for (const again of RESEND_MS) {
      if (this.#chance() >= this.line.loss) break;
      lostMs += again;
    }
    return lostMs;
  }
}

import { api, encodeMessage } from "../../../src/proto/index.ts";
import { type CallEvents, ClientCall, type Host, type Status } from "./call.ts";
import type { Clock } from "./clock.ts";
import type { Network } from "./network.ts";

/** What clients know of the world: where members are, and how to call them. */
export interface World {
  readonly clock: Clock;
  readonly network: Network;
  /** Machines that should have a member. */
  readonly machines: readonly { readonly name: string; readonly host: Host | undefined }[];
  readonly say: (who: string, what: string) => void;
}

export type Reply = Status & { readonly body?: Uint8Array };

const REFUSED: Status = { code: 14, message: "connection refused" };
const LATE: Reply = { code: 4, message: "context deadline exceeded" };

/** A client's way of calling whichever member it is connected to. */
export class Caller {
  readonly name: string;
  readonly world: World;

  constructor(name: string, world: World) {
    this.name = name;
    this.world = world;
  }

  /** Begins a call to the member on a machine. Undefined, later told as an end: it is refused. */
  open(machine: string, path: string, events: CallEvents): ClientCall | undefined {
    const { clock, network, machines } = this.world;
    const host = machines.find(({ name }) => name === machine)?.host;
    if (host === undefined) {
      const wait = network.isOpen(this.name, machine) ? network.delay() : REFUSED_MS;
      clock.after(wait, () => events.end(REFUSED));
      return undefined;
    }
    return new ClientCall({ clock, network, client: this.name, host, path, events });
  }

  /** A unary call. Its outcome is not known when it is late or the connection breaks. */
  ask(machine: string, path: string, bytes: Uint8Array, timeoutMs: number): Promise<Reply> {
    return new Promise((resolve) => {
      let body: Uint8Array | undefined;
      let isOver = false;
      const over = (reply: Reply) => {
        if (isOver) return;
        isOver = true;
        resolve(reply);
      };
      const call = this.open(machine, path, {
        message: (bytes) => {
          body = bytes;
        },
        end: (status) => over(body === undefined ? status : { ...status, body }),
      });
      call?.write(bytes);
      call?.halfClose();
      this.world.clock.after(timeoutMs, () => {
        over(LATE);
        call?.cancel();
      });
    });
  }

  /** One renewal, over a stream of its own. */
  renew(machine: string, ID: bigint, timeoutMs: number): Promise<Reply> {
    return new Promise((resolve) => {
      let isOver = false;
      const over = (reply: Reply) => {
        if (isOver) return;
        isOver = true;
        resolve(reply);
        call?.cancel();
      };
      const call = this.open(machine, "/etcdserverpb.Lease/LeaseKeepAlive", {
        message: (body) => over({ code: 0, message: "", body }),
        end: over,
      });
      call?.write(encodeMessage(api.LeaseKeepAliveRequest, { ID }));
      this.world.clock.after(timeoutMs, () => over(LATE));
    });
  }
}

/** How long a connection is tried where nothing answers. */
const REFUSED_MS = 1000;

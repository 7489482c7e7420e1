import type { auth, Unary } from "../client/index.ts";
import type { api, Init } from "../proto/index.ts";
import type { Ctl } from "./ctl.ts";
import { callOrExit } from "./define.ts";
import { doneView } from "./printers/view.ts";

/** An answer with a header, as all have one. */
interface Headed {
  readonly header: api.ResponseHeader | undefined;
}

/** A call on users or roles, whose answer says no more than that it was done. */
export async function change<Q, R extends Headed>(
  ctl: Ctl,
  method: (calls: typeof auth) => Unary<Q, R>,
  request: Init<Q>,
  sentence: string,
): Promise<void> {
  const client = await ctl.connect();
  const { auth } = await import("../client/index.ts");
  const chosen = method(auth);
  const answer = await callOrExit(client, chosen, request);
  ctl.show(doneView(chosen.response, answer, sentence));
}

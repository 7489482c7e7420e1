/** What an operator asks: status, members, users and roles without enabling them. */
import type { DescMessage, DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import { Auth, Cluster, Maintenance } from "../lib/api.ts";
import type { Draw } from "./draw.ts";
import type { World } from "./world.ts";

export const NO_MEMBER = 0x1234n;
const ROLES = ["reader", "writer", "nobody"];
const USERS = ["alice", "bob"];

interface Request {
  readonly method: DescMethod;
  readonly send: () => Promise<unknown>;
}

export async function statusStep(world: World, draw: Draw): Promise<void> {
  await draw.pick([
    () => world.call(Maintenance.method.status, {}),
    () => world.call(Cluster.method.memberList, { linearizable: draw.percent(50) }),
    () => world.call(Auth.method.authStatus, {}),
    () => world.call(Maintenance.method.alarm, { action: 0, alarm: draw.pick([0, 1, 2] as const) }),
    () => health(world, draw),
  ])();
}

/** The health of the server as a whole, under the empty name, and of services nobody watches. */
async function health(world: World, draw: Draw): Promise<void> {
  const name = Buffer.from(draw.pick(["", "etcdserverpb.KV", "nothing"]));
  const request =
    name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  await world.raw("/grpc.health.v1.Health/Check", request);
}

/** Changes of the cluster that must be refused, and of users and roles that need no password. */
export async function adminStep(world: World, draw: Draw): Promise<void> {
  const requests: Request[] = [];
  const add = <I extends DescMessage, O extends DescMessage>(
    method: DescMethod & { input: I; output: O },
    init: MessageInitShape<I>,
  ) => requests.push({ method, send: () => world.call(method, init) });
  addClusterRequests(add, draw);
  addRoleRequests(add, draw);
  addUserRequests(add, draw);
  await draw.pick(requests.filter(({ method }) => world.serves(method))).send();
}

type Add = <I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { input: I; output: O },
  init: MessageInitShape<I>,
) => void;

function addClusterRequests(add: Add, draw: Draw): void {
  const { memberRemove, memberPromote, memberUpdate, memberAdd } = Cluster.method;
  add(memberRemove, { ID: NO_MEMBER });
  add(memberPromote, { ID: NO_MEMBER });
  add(memberUpdate, { ID: NO_MEMBER, peerURLs: ["http://a:1"] });
  add(memberAdd, { peerURLs: ["not a url"] });
  add(memberAdd, { peerURLs: [] });
  add(Maintenance.method.moveLeader, { targetID: NO_MEMBER });
  add(Maintenance.method.downgrade, { action: 0, version: draw.pick(["3.1.0", "nonsense"]) });
  add(Maintenance.method.downgrade, { action: 2, version: "" });
}

function addRoleRequests(add: Add, draw: Draw): void {
  const role = draw.pick(ROLES);
  const key = draw.key();
  const rangeEnd = draw.rangeEnd(key);
  const perm = { key, rangeEnd, permType: draw.pick([0, 1, 2] as const) };
  add(Auth.method.roleAdd, { name: role });
  add(Auth.method.roleAdd, { name: "" });
  add(Auth.method.roleGet, { role });
  add(Auth.method.roleList, {});
  add(Auth.method.roleDelete, { role });
  add(Auth.method.roleGrantPermission, { name: role, perm });
  add(Auth.method.roleGrantPermission, { name: role });
  add(Auth.method.roleRevokePermission, { role, key, rangeEnd });
}

function addUserRequests(add: Add, draw: Draw): void {
  const user = draw.pick(USERS);
  const role = draw.pick(ROLES);
  add(Auth.method.authEnable, {});
  add(Auth.method.authDisable, {});
  add(Auth.method.authenticate, { name: user, password: "x" });
  add(Auth.method.userAdd, { name: user, options: { noPassword: true } });
  add(Auth.method.userAdd, { name: "", options: { noPassword: true } });
  add(Auth.method.userGet, { name: user });
  add(Auth.method.userList, {});
  add(Auth.method.userDelete, { name: user });
  add(Auth.method.userGrantRole, { user, role });
  add(Auth.method.userRevokeRole, { name: user, role });
}

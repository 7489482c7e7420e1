import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { api, decodeMessage, type Schema } from "../proto/index.ts";
import {
  assertRefused,
  assertShown,
  CannedServer,
  type Refusal,
  reply,
  type Run,
  runCtl,
} from "./testing.ts";

// The outputs are what etcdctl 3.7.3 printed for these answers.

const header = { clusterId: 10n, memberId: 11n, raftTerm: 2 };
const HEADER_FIELDS = '"ClusterID" : 10\n"MemberID" : 11\n"RaftTerm" : 2\n';
const HEADER_JSON = '"header":{"cluster_id":10,"member_id":11,"raft_term":2}';
const key = (text: string) => Buffer.from(text);

const answers = {
  "/etcdserverpb.Maintenance/Alarm": reply(api.AlarmResponse, {
    header,
    alarms: [{ memberID: 11n, alarm: api.ALARM_TYPE.NOSPACE }],
  }),
  "/etcdserverpb.Maintenance/Defragment": reply(api.DefragmentResponse, { header }),
  "/etcdserverpb.Maintenance/Status": reply(api.StatusResponse, { header, leader: 11n }),
  "/etcdserverpb.Maintenance/MoveLeader": reply(api.MoveLeaderResponse, { header }),
  "/etcdserverpb.Maintenance/Downgrade": reply(api.DowngradeResponse, { header, version: "3.7.0" }),
  "/etcdserverpb.Auth/AuthStatus": reply(api.AuthStatusResponse, {
    header,
    enabled: true,
    authRevision: 7,
  }),
  "/etcdserverpb.Auth/UserAdd": reply(api.AuthUserAddResponse, { header }),
  "/etcdserverpb.Auth/UserChangePassword": reply(api.AuthUserChangePasswordResponse, { header }),
  "/etcdserverpb.Auth/UserGet": reply(api.AuthUserGetResponse, { header, roles: ["r", "s"] }),
  "/etcdserverpb.Auth/UserList": reply(api.AuthUserListResponse, { header, users: ["u", "v"] }),
  "/etcdserverpb.Auth/RoleList": reply(api.AuthRoleListResponse, { header, roles: ["r", "s"] }),
  "/etcdserverpb.Auth/RoleGrantPermission": reply(api.AuthRoleGrantPermissionResponse, { header }),
  "/etcdserverpb.Auth/RoleRevokePermission": reply(api.AuthRoleRevokePermissionResponse, {
    header,
  }),
  "/etcdserverpb.Auth/RoleGet": reply(api.AuthRoleGetResponse, {
    header,
    perm: [
      { permType: api.PERMISSION_TYPE.READ, key: key("k") },
      { permType: api.PERMISSION_TYPE.READWRITE, key: key("p"), rangeEnd: key("q") },
      { permType: api.PERMISSION_TYPE.WRITE, key: key("f"), rangeEnd: Uint8Array.of(0) },
    ],
  }),
};

let server: CannedServer;
before(async () => {
  server = await CannedServer.start(answers);
});
after(() => server.stop());

const ctl = (line: string, stdin = ""): Promise<Run> =>
  runCtl([`--endpoints=${server.endpoint}`, ...line.split(" ")], { stdin });

const OUTPUTS: readonly (readonly [line: string, out: string])[] = [
  ["alarm list", "memberID:11 alarm:NOSPACE\n"],
  ["alarm list -w fields", `${HEADER_FIELDS}"MemberID" : 11\n"AlarmType" : NOSPACE\n\n`],
  ["alarm list -w json", `{${HEADER_JSON},"alarms":[{"memberID":11,"alarm":1}]}\n`],
  ["alarm disarm -w json", '{"alarms":[{"memberID":11,"alarm":1}]}\n'],
  ["move-leader c", "Leadership transferred from b to c\n"],
  ["downgrade cancel", "Downgrade cancel success, cluster version 3.7.0\n"],
  ["auth status", "Authentication Status: true\nAuthRevision: 7\n"],
  ["user list", "u\nv\n"],
  ["user get u", "User: u\nRoles: r s\n"],
  ["role list -w fields", `${HEADER_FIELDS}"Roles" : "r" "s"\n`],
  [
    "role get r",
    "Role r\nKV Read:\n\tk\n\t[p, q) (prefix p)\nKV Write:\n\t[p, q) (prefix p)\n\t[f, <open ended>\n",
  ],
  ["user add u:pw", "User u created\n"],
  ["role grant-permission r READ k", "Role r updated\n"],
  ["role revoke-permission r k", "Permission of key k is revoked from role r\n"],
  [
    "role revoke-permission r k --from-key",
    "Permission of range [k, <open ended> is revoked from role r\n",
  ],
];

test("answers about the cluster and its users are shown as etcdctl shows them", async () => {
  await assertShown(ctl, OUTPUTS);
});

test("forms that an answer does not have are refused after the call", async () => {
  for (const line of ["auth status -w fields", "move-leader c -w table", "user get u -w fields"]) {
    const run = await ctl(line);
    assert.equal(run.status, 4, line);
    assert.match(run.err, /^Error: (fields|table) not supported as output format\n$/);
  }
});

async function requestOf<T>(line: string, schema: Schema<T>, stdin = ""): Promise<T> {
  server.requests.length = 0;
  await ctl(line, stdin);
  return decodeMessage(schema, server.requests.at(-1)!.bytes);
}

test("every alarm that there is, is disarmed", async () => {
  const request = await requestOf("alarm disarm", api.AlarmRequest);
  assert.equal(server.requests.length, 2);
  const { DEACTIVATE } = api.ALARM_ACTION;
  assert.deepEqual(request, { action: DEACTIVATE, memberID: 11n, alarm: api.ALARM_TYPE.NOSPACE });
});

test("a password is asked for twice, or read from standard input, or given", async () => {
  const asked = await ctl("user add u", " secret \nsecret\n");
  assert.equal(
    asked.out.toString(),
    "Password of u: \nType password of u again for confirmation: \nUser u created\n",
  );
  const add = (line: string, stdin?: string) => requestOf(line, api.AuthUserAddRequest, stdin);
  assert.equal((await add("user add u", "secret\nsecret")).password, "secret");
  assert.equal((await add("user add u --interactive=false", "two words\n")).password, "two");
  assert.equal((await add("user add u:a:b")).password, "a:b");
  assert.equal((await add("user add u --new-user-password x")).password, "x");
  assert.equal((await add("user add u --no-password")).options?.noPassword, true);
  const different = await ctl("user passwd u", "a\nb\n");
  assert.deepEqual(
    [different.status, different.err],
    [128, "Error: given passwords are different\n"],
  );
  const empty = await ctl("user passwd u", "");
  assert.deepEqual([empty.status, empty.err], [128, "Error: empty password\n"]);
});

test("the ranges of permissions are those of their flags", async () => {
  const range = async (args: string) => {
    const line = `role grant-permission r readwrite ${args}`;
    const { perm } = await requestOf(line, api.AuthRoleGrantPermissionRequest);
    return [perm!.key, perm!.rangeEnd].map((part) => Buffer.from(part).toString());
  };
  assert.deepEqual(await range("k"), ["k", ""]);
  assert.deepEqual(await range("k m"), ["k", "m"]);
  assert.deepEqual(await range("k --prefix"), ["k", "l"]);
  assert.deepEqual(await range("k --from-key"), ["k", "\0"]);
  assert.deepEqual(await range(" --prefix"), ["\0", "\0"]);
  assert.deepEqual(await range(""), ["\0", ""]);
});

const REFUSALS: readonly Refusal[] = [
  [
    "member add x --peer-urls notaurl",
    1,
    "URL scheme must be http, https, unix, or unixs: notaurl",
  ],
  ["member update 1 --peer-urls :1", 1, 'parse ":1": missing protocol scheme'],
  ["alarm list x", 128, "alarm list command accepts no arguments"],
  ["auth enable x", 128, "auth enable command does not accept any arguments"],
  ["user add :pw", 128, "empty user name is not allowed"],
  ["role grant-permission r fly k", 128, "invalid permission type: fly"],
  [
    "role grant-permission r read k m --prefix",
    128,
    "unexpected endkey argument with --prefix flag",
  ],
  ["move-leader x", 128, 'strconv.ParseUint: parsing "x": invalid syntax'],
  ["downgrade enable", 128, "TARGET_VERSION not provided"],
  ["lock", 128, "lock takes a lock name argument and an optional command to execute"],
  ["elect e", 128, "no proposal argument but -l not set"],
  ["elect e p -l", 128, "proposal given but -l is set"],
  [
    "get k --max-recv-bytes 1 --max-request-bytes 5",
    2,
    "gRPC message recv limit (1 bytes) must be greater than send limit (5 bytes)",
  ],
];

test("wrong calls end with etcdctl's texts and statuses", async () => {
  await assertRefused(ctl, REFUSALS);
});

test("defragmenting tells of each endpoint, and fails when one does", async () => {
  const well = await ctl("defrag");
  const done = `Finished defragmenting etcd member[${server.endpoint}]. took `;
  assert.ok(well.out.toString().startsWith(done));
  const gone = await runCtl(["defrag", "--endpoints=127.0.0.1:1", "--command-timeout=50ms"]);
  assert.equal(gone.status, 1);
  assert.match(gone.err, /Failed to defragment .*127\.0\.0\.1:1\]\. took .* \(context deadline/);
});

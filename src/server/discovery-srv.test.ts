import assert from "node:assert/strict";
import { test } from "node:test";
import { makeConfig } from "./config.ts";
import { discoverBySrv } from "./discovery-srv.ts";
import { parseFlags } from "./flags.ts";

const ADDRESSES: Readonly<Record<string, string>> = {
  "a.example.com": "10.0.0.1",
  "b.example.com": "10.0.0.2",
  "c.example.com": "10.0.0.3",
};

type Records = Readonly<Record<string, readonly (readonly [host: string, port: number])[]>>;

function discover(records: Records, ...flags: string[]): Promise<string> {
  const config = makeConfig(parseFlags(["--name=m", "--discovery-srv=example.com", ...flags], {}));
  return discoverBySrv({
    config,
    lines: { info: () => {}, warn: () => {} },
    lookUp: async (host) => ({ address: ADDRESSES[host] ?? host, family: 4 }),
    lookUpSrv: async (name) => {
      const found = records[name];
      if (found === undefined) throw new Error(`lookup ${name} on 127.0.0.1:53: no such host`);
      return found.map(([host, port]) => ({ host, port }));
    },
  });
}

const HERE = "--initial-advertise-peer-urls=http://b.example.com:2380";

test("SRV records name the members: this one by its address, the others by numbers", async () => {
  const places = ["a", "b", "c"].map((name) => [`${name}.example.com`, 2380] as const);
  assert.equal(
    await discover({ "_etcd-server._tcp.example.com": places }, HERE),
    "0=http://a.example.com:2380,m=http://b.example.com:2380,1=http://c.example.com:2380",
  );
  const named = { "_etcd-server-x._tcp.example.com": places.slice(1, 2) };
  assert.equal(
    await discover(named, HERE, "--discovery-srv-name=x"),
    "m=http://b.example.com:2380",
  );
});

test("without records, or with one of another scheme, there is nothing to begin with", async () => {
  const no = (kind: string) =>
    `error querying DNS SRV records for _${kind} ` +
    `lookup _${kind}._tcp.example.com on 127.0.0.1:53: no such host`;
  await assert.rejects(discover({}, HERE), {
    message: `${no("etcd-server-ssl")}\n${no("etcd-server")}`,
  });
  const secure = { "_etcd-server-ssl._tcp.example.com": [["b.example.com", 2380]] as const };
  await assert.rejects(discover(secure, HERE), {
    message:
      "error querying DNS SRV records for _etcd-server-ssl bootstrap at " +
      "https://b.example.com:2380 from DNS for etcd-server-ssl has scheme mismatch with expected " +
      `peer http://b.example.com:2380\n${no("etcd-server")}`,
  });
});

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { cgroupLimitBytes, MemoryGauge } from "./memory.ts";

const MIB = 1024 * 1024;
const made: string[] = [];
after(() => {
  for (const dir of made) rmSync(dir, { recursive: true });
});

function rootWith(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "quord-cgroup-"));
  made.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const limits: { why: string; files: Record<string, string>; limit: number }[] = [
  { why: "without control groups there is no limit", files: {}, limit: Number.POSITIVE_INFINITY },
  {
    why: "version 2 names the limit of the own group",
    files: {
      "proc/self/cgroup": "0::/system.slice/quord.service\n",
      "sys/fs/cgroup/system.slice/quord.service/memory.max": "805306368\n",
      "sys/fs/cgroup/system.slice/memory.max": "max\n",
    },
    limit: 768 * MIB,
  },
  {
    why: "the least limit on the way to the root counts",
    files: {
      "proc/self/cgroup": "0::/a/b\n",
      "sys/fs/cgroup/a/b/memory.max": "max\n",
      "sys/fs/cgroup/a/memory.max": "1048576\n",
    },
    limit: MIB,
  },
  {
    why: "in a container the group is the root of what can be seen",
    files: { "proc/self/cgroup": "0::/elsewhere\n", "sys/fs/cgroup/memory.max": "2097152\n" },
    limit: 2 * MIB,
  },
  {
    why: "version 1 has a tree for memory alone",
    files: {
      "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/x\n0::/\n",
      "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "3145728\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    },
    limit: 3 * MIB,
  },
  {
    why: "the largest number of version 1 means no limit",
    files: {
      "proc/self/cgroup": "4:memory:/\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    },
    limit: Number.POSITIVE_INFINITY,
  },
];

for (const { why, files, limit } of limits) {
  test(why, () => assert.equal(cgroupLimitBytes(rootWith(files)), limit));
}

test("heavy requests are refused before light ones, and both come back", () => {
  let [resident, now] = [0, 0];
  const gauge = new MemoryGauge({
    limitBytes: 1000 * MIB,
    residentBytes: () => resident,
    now: () => now,
  });
  const admitted = (bytes: number, used: number) => {
    resident = used * MIB;
    now += 1000;
    return gauge.admits(bytes);
  };
  assert.ok(admitted(MIB, 600));
  assert.ok(!admitted(MIB, 700));
  assert.ok(admitted(1000, 700));
  assert.ok(!admitted(1000, 850));
  assert.equal(gauge.shed, 2);
  assert.ok(admitted(MIB, 600));
});

test("without a limit everything is taken, and nothing is measured", () => {
  const residentBytes = () => assert.fail("measured");
  const gauge = new MemoryGauge({ limitBytes: Number.POSITIVE_INFINITY, residentBytes });
  assert.ok(gauge.admits(2 ** 40));
});

/** Scenes of clusters: commands to several endpoints, members that come, go and fail. */
import { inReadableForms, type Line, type Scene, stores } from "./cli-side.ts";

/** Answers that come in no order. */
const inAnyOrder = (lines: readonly string[]): Line[] =>
  lines.map((line) => ({ line, sorted: true }));

const NOBODY = "127.0.0.1:1";

/** What may be asked of many members at once. */
const ASKED: readonly (string | Line)[] = [
  ...inReadableForms("member list"),
  "member list --hex",
  "member list --hex -w json",
  "member list --hex -w fields",
  "member list --consistency s",
  ...inReadableForms("member list --endpoints {e3}"),
  ...inReadableForms("endpoint status"),
  ...inReadableForms("endpoint status --cluster --endpoints {e2}"),
  "endpoint status --cluster",
  "endpoint status --hex -w fields",
  "endpoint status --endpoints {e3},{e1}",
  ...inAnyOrder(inReadableForms("endpoint health")),
  ...inAnyOrder(inReadableForms("endpoint health --cluster --endpoints {e2}")),
  ...inReadableForms("endpoint hashkv"),
  ...inReadableForms("endpoint hashkv --cluster --endpoints {e2}"),
  "put a 1",
  "put a 2 --endpoints {e2}",
  "put b 3 --endpoints {e3}",
  "endpoint hashkv --rev 3",
  "endpoint hashkv --cluster --rev 2",
  "endpoint hashkv --cluster --rev 99",
  "get a b0 --endpoints {e2}",
  "get a b0 --endpoints {e3} --consistency s",
  "get a --rev 2 --endpoints {e3} --consistency s",
  "del b --endpoints {e2}",
  { line: "txn --endpoints {e2}", input: 'mod("a") > "1"\n\nput a 4\n\nget a\n\n' },
  "compaction 3 --endpoints {e3}",
  "compaction 3 --endpoints {e2}",
  "get a --rev 2 --endpoints {e2}",
  "lease list --endpoints {e2}",
  "lease grant 60 --endpoints {e2}",
  "lease keep-alive {lease} --once --endpoints {e3}",
  "lease timetolive {lease} --endpoints {e2}",
  "put l 1 --lease {lease} --endpoints {e3}",
  "lease timetolive {lease} --keys --endpoints {e1}",
  "lease revoke {lease} --endpoints {e3}",
  "get l --endpoints {e2}",
  "lease timetolive {lease} --endpoints {e2}",
  "alarm list",
  "alarm disarm --endpoints {e2}",
  "defrag",
  "defrag --cluster --endpoints {e2}",
  "snapshot save {dir}/s.db",
  "snapshot save {dir}/s.db --endpoints {e2},{e3}",
  { line: "watch a --rev 3 --endpoints {e2}", until: "4" },
  { line: "watch a --rev 4", until: "4" },
];

/** Endpoints of which some are not there. */
const FAILING: readonly (string | Line)[] = [
  `get a --endpoints ${NOBODY},{e2}`,
  `put a 5 --endpoints {e3},${NOBODY}`,
  `endpoint status --endpoints ${NOBODY},{e2} --command-timeout 500ms`,
  `endpoint status --endpoints {e2},${NOBODY} --command-timeout 500ms -w json`,
  { line: `endpoint health --endpoints ${NOBODY},{e2} --command-timeout 500ms`, sorted: true },
  {
    line: `endpoint health --endpoints ${NOBODY},{e2} --command-timeout 500ms -w table`,
    sorted: true,
  },
  `endpoint hashkv --endpoints ${NOBODY},{e2} --command-timeout 500ms --rev 4`,
  `defrag --endpoints ${NOBODY},{e2} --command-timeout 500ms`,
  `endpoint status --cluster --endpoints ${NOBODY},{e2}`,
  `member list --endpoints ${NOBODY},{e2}`,
  `move-leader {m1} --endpoints ${NOBODY},{e1} --command-timeout 500ms`,
  `lock x echo held --endpoints ${NOBODY},{e2}`,
];

const LEADERS: readonly (string | Line)[] = [
  "move-leader {m2} --endpoints {e2}",
  "move-leader {m2} --endpoints {e2},{e3}",
  "move-leader {m1}",
  "move-leader 1234",
  "move-leader {m2} --command-timeout 3s",
  "move-leader {m2} --endpoints {e2}",
  "move-leader {m3} -w json",
  "endpoint status",
  "move-leader {m1} -w fields",
  "move-leader {m3} -w table",
  "move-leader {m1}",
  "endpoint status -w table",
];

const MEETING: readonly (string | Line)[] = [
  "lock a echo held",
  "lock a -- sh -c 'exit 7'",
  "lock a -- sh -c '$CTL lock a --ttl 3 -- echo inner & sleep 0.5; echo outer'",
  "lock a -- sh -c '$CTL lock a & p=$!; sleep 0.5; kill -INT $p; wait $p; echo $?'",
  { line: "lock b", until: "b/" },
  { line: "elect e value", until: "value" },
  { line: "elect e value -w json --endpoints {e2}", until: "}\n", signal: "SIGINT" },
  { line: "elect e -l", silent: true },
  "put e/x first",
  { line: "elect e -l --endpoints {e3}", until: "first" },
  { line: "elect e second", silent: true, signal: "SIGINT" },
  "del e/x",
  "lock g -- sh -c '$CTL elect g v & p=$!; sleep 0.5; kill $p; wait $p; echo $?'",
];

const CHANGES: readonly (string | Line)[] = [
  "member add lea --learner --peer-urls http://127.0.0.1:9999",
  { line: "member list", sorted: true },
  { line: "member list -w table", sorted: true },
  { line: "member list -w fields", sorted: true },
  "member list -w json",
  "member add more --learner --peer-urls http://127.0.0.1:9998",
  "member add again --peer-urls http://127.0.0.1:9999,http://127.0.0.1:9994",
  "member promote {learner}",
  "member promote {learner} --endpoints {e2}",
  "member promote {m2}",
  "member promote {m2} -w json",
  "member update {learner} --peer-urls http://127.0.0.1:9997,http://127.0.0.1:9996",
  "member update {learner} --peer-urls http://127.0.0.1:9995 -w json",
  "member update {learner} --peer-urls http://127.0.0.1:9995 -w fields --endpoints {e2}",
  "member update 1234 --peer-urls http://127.0.0.1:9995",
  "move-leader {learner}",
  "endpoint status --cluster",
  "member remove {learner}",
  "member remove {learner}",
  "member promote {learner}",
  "member add x --learner --peer-urls http://127.0.0.1:9990 -w json --endpoints {e3}",
  "member remove {learner} -w json",
  "member add x --peer-urls http://127.0.0.1:9990,http://127.0.0.1:9989 --endpoints {e2}",
  "member promote {learner}",
  { line: "member list", sorted: true },
  "put with4 members",
  "member add y --peer-urls http://127.0.0.1:9988",
  "member remove {m3} --command-timeout 2s",
  "member remove {learner}",
];

/** Before anything with a lease that ends by itself, since the log's last index is shown. */
const OLDER: readonly (string | Line)[] = [
  ...inReadableForms("downgrade validate 3.6"),
  "downgrade validate 3.6 --endpoints {e2}",
  "downgrade validate 3.5",
  "downgrade validate 3.7",
  "downgrade cancel",
  "downgrade enable 3.5",
  { line: "downgrade enable 3.6 --endpoints {e3}", settles: stores("3.6.0") },
  "endpoint status --endpoints {e1} -w fields",
  "downgrade enable 3.6",
  "downgrade validate 3.6",
  { line: "downgrade cancel", settles: stores("3.7.0") },
  ...inReadableForms("downgrade cancel"),
];

/** One member is dead, and then only one is left, which leads no more. */
const DYING: readonly (string | Line)[] = [
  { line: "put after one", kills: 3 },
  "get after",
  { line: "endpoint health --command-timeout 1s", sorted: true },
  { line: "endpoint health --cluster --command-timeout 1s -w json", sorted: true },
  "endpoint status --command-timeout 1s",
  "endpoint status --cluster --command-timeout 1s -w json",
  "endpoint hashkv --command-timeout 1s",
  "endpoint hashkv --cluster --command-timeout 1s",
  "defrag --command-timeout 1s",
  "defrag --cluster --command-timeout 1s",
  { line: "member list", sorted: true },
  "member add x --peer-urls http://127.0.0.1:9990",
  "lock a echo held",
  "alarm list",
  "snapshot save {dir}/t.db --endpoints {e3} --command-timeout 1s",
  "downgrade validate 3.6",
  "member remove {m3}",
  { line: "member list", sorted: true },
  "put after two",
];

const ALONE: readonly (string | Line)[] = [
  { line: "put before one", kills: 3 },
  { line: "get before --consistency s", kills: 2 },
  "get before --consistency s --endpoints {e1}",
  "get before --endpoints {e1} --command-timeout 1s",
  "put before two --endpoints {e1} --command-timeout 1s",
  "put before two --endpoints {e1}",
  "get before --command-timeout 1s",
  "member list --endpoints {e1} --consistency s",
  "member list --endpoints {e1} --command-timeout 1s",
  "member add x --endpoints {e1} --peer-urls http://127.0.0.1:9990 --command-timeout 1s",
  "member remove {m2} --endpoints {e1} --command-timeout 1s",
  { line: "endpoint health --command-timeout 1s", sorted: true },
  "endpoint status --command-timeout 1s --endpoints {e1}",
  "endpoint status --command-timeout 1s --endpoints {e1} -w json",
  "endpoint hashkv --endpoints {e1}",
  "alarm list --endpoints {e1} --command-timeout 1s",
  "lease grant 10 --endpoints {e1} --command-timeout 1s",
  "lease keep-alive 123 --once --endpoints {e1} --command-timeout 1s",
  "lease timetolive 123 --endpoints {e1} --command-timeout 1s",
  "move-leader {m2} --endpoints {e1}",
  "downgrade validate 3.6 --endpoints {e1} --command-timeout 1s",
  "defrag --endpoints {e1}",
  { line: "watch before --endpoints {e1}", silent: true },
];

/** What waits on a member that dies goes on with another one. Quotes are for the shell within. */
const MOVING: readonly Line[] = [
  {
    line:
      "lock x -- sh -c '$CTL watch a & w=$!; $CTL lock k --ttl 2 & l=$!; $CTL elect e v & e=$!; " +
      "$CTL elect -l e & o=$!; sleep 5; $CTL put a 1; sleep 2; exec 2>/dev/null; kill $w $l $e $o; " +
      "wait $w; echo watch $?; wait $l; echo lock $?; wait $e; echo elect $?'",
    killsMeanwhile: 3,
    sorted: true,
  },
  { line: "get k --prefix", sorted: true },
  {
    line:
      "lock x -- sh -c '$CTL lock k & l=$!; sleep 0.5; " +
      "$CTL lock k -- echo next & n=$!; sleep 5; kill $l; wait $l; echo $?; wait $n; echo $?'",
    sorted: true,
  },
];

const scene = (name: string, lines: Scene["lines"]): Scene => ({
  name,
  cluster: true,
  lines,
});

export const CLUSTER_SCENES: readonly Scene[] = [
  scene("a cluster", [...ASKED, ...FAILING, ...LEADERS, ...OLDER, ...MEETING]),
  scene("members of a cluster", [...CHANGES, ...DYING]),
  scene("a cluster on the move", MOVING),
  scene("a cluster without a majority", ALONE),
];

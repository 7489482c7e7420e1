/**
 * The command lines that quordutl and etcdutl must answer alike. Each list runs in order in a fresh
 * directory, `{dir}`, whose files `cli-utl.ts` makes.
 */
import { inAllForms } from "./cli-side.ts";

export interface UtlLine {
  /** Words after the program's name. */
  readonly line: string;
  /** etcdutl panics: it is enough that both fail. */
  readonly crash?: true;
}

const crash = (line: string): UtlLine => ({ line, crash: true });

const HELP = [
  "",
  "help",
  "--help",
  "snapshot",
  "snapshot nothing",
  "snapshot status --help",
  "snapshot restore --help",
  "hashkv --help",
  "defrag --help",
  "migrate -h",
  "completion --help",
  "version --help",
  "help snapshot restore",
  "nothing",
  "migrat",
  "--nothing",
  "version",
  "version -w json",
  "version extra",
  "completion",
  "completion tcsh",
  "completion bash zsh",
  "__complete migrate -",
  "__complete hashkv -",
  "__complete snapshot restore --",
  "__complete snapshot ''",
  "__complete ''",
  "__complete sna",
  "__complete nothing ''",
  "__complete hashkv -w ''",
  "__complete hashkv --write-out=",
  "__complete defrag --data-dir ''",
  "__complete defrag --data-dir=",
  "__complete defrag --data-dir x ''",
  "__complete completion ''",
  "__complete help s",
  "__complete help snapshot ''",
  "__complete hashkv --rev x -",
  "__complete hashkv --help ''",
  "__completeNoDesc snapshot ''",
];

const READING = [
  ...inAllForms("snapshot status {dir}/snapshot.db"),
  "snapshot status {dir}/snapshot.db -w nothing",
  "snapshot status {dir}/data/member/snap/db",
  "snapshot status {dir}/nothing",
  "snapshot status {dir}/nothing -w nothing",
  "snapshot status",
  "snapshot status {dir}/snapshot.db extra",
  "snapshot status {dir}/garbage",
  crash("snapshot status {dir}/cut.db"),
  crash("snapshot status {dir}/data"),
  ...inAllForms("hashkv {dir}/snapshot.db"),
  "hashkv {dir}/data/member/snap/db",
  "hashkv {dir}/snapshot.db --rev 50",
  "hashkv {dir}/snapshot.db --rev 145 -w json",
  "hashkv {dir}/snapshot.db --rev 19",
  "hashkv {dir}/snapshot.db --rev 9999",
  "hashkv {dir}/snapshot.db --rev x",
  "hashkv {dir}/snapshot.db -w nothing",
  "hashkv {dir}/nothing",
  "hashkv",
  "hashkv a b",
  crash("hashkv {dir}/garbage"),
];

const CLUSTER =
  "--name a --initial-cluster a=http://127.0.0.1:1,b=http://127.0.0.1:2,a=http://127.0.0.1:3 " +
  "--initial-advertise-peer-urls http://127.0.0.1:3,http://127.0.0.1:1";

const RESTORING = [
  "snapshot restore",
  "snapshot restore a b",
  "snapshot restore {dir}/nothing --data-dir {dir}/r1",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/data",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/r1 --wal-dir {dir}/data",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/r1",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/r1",
  "snapshot status {dir}/r1/member/snap/db",
  "hashkv {dir}/r1/member/snap/db -w json",
  "migrate --data-dir {dir}/r1 --target-version 3.5",
  `snapshot restore {dir}/snapshot.db --data-dir {dir}/r2 --wal-dir {dir}/w2 ${CLUSTER}`,
  "snapshot status {dir}/r2/member/snap/db -w json",
  `snapshot restore {dir}/snapshot.db --data-dir {dir}/r3 --initial-cluster-token t ${CLUSTER}`,
  "snapshot status {dir}/r3/member/snap/db",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/r4 --bump-revision 1000 --mark-compacted",
  "snapshot status {dir}/r4/member/snap/db",
  // etcdutl carries out the compaction that is scheduled there: the file is another afterwards.
  "hashkv {dir}/r4/member/snap/db",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/r5 --bump-revision 1000",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/r5 --mark-compacted",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/r5 --bump-revision x",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/r5 --bump-revision -1",
  "snapshot restore {dir}/no-hash.db --data-dir {dir}/r6",
  "snapshot restore {dir}/no-hash.db --data-dir {dir}/r7 --skip-hash-check",
  "snapshot status {dir}/r7/member/snap/db",
  "snapshot restore {dir}/bad-hash.db --data-dir {dir}/r8",
  "snapshot restore {dir}/bad-hash.db --data-dir {dir}/r9 --skip-hash-check",
  "snapshot status {dir}/r9/member/snap/db",
  "snapshot restore {dir}/short --data-dir {dir}/r10",
  "snapshot restore {dir}/empty --data-dir {dir}/r11 --skip-hash-check",
  crash("snapshot restore {dir}/garbage --data-dir {dir}/r12 --skip-hash-check"),
  "snapshot restore {dir}/data --data-dir {dir}/r14",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/snapshot.db",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/a/b --wal-dir {dir}/x/y/z",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/r13 --initial-memory-map-size 100000",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/x --name b",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/x --initial-cluster b=http://a:1",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/x --initial-cluster ''",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/x --initial-cluster nonsense",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/x --initial-cluster default=a:b:c",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/x --initial-cluster default=ftp://a:1",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/x --initial-advertise-peer-urls nonsense",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/x --initial-advertise-peer-urls ''",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/x --initial-advertise-peer-urls http://a",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/x --initial-advertise-peer-urls http://a:1/p",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/x --initial-advertise-peer-urls http://[::1:2",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/x --initial-cluster default=http://127.0.0.1:1",
  "snapshot restore {dir}/snapshot.db --data-dir {dir}/x --initial-cluster " +
    "default=http://localhost:2380,b=http://localhost:2380",
];

const CHANGING = [
  "defrag",
  "defrag --data-dir {dir}/nothing",
  "defrag --data-dir {dir}/data",
  "defrag --data-dir {dir}/data extra",
  "snapshot status {dir}/data/member/snap/db -w fields",
  "hashkv {dir}/data/member/snap/db -w json",
  "migrate",
  "migrate --data-dir {dir}/data",
  "migrate --data-dir {dir}/nothing --target-version 3.6",
  ...[
    "3",
    "3.x",
    ".5",
    "3.",
    "3.4",
    "2.9",
    "a.b.c",
    "3.6-rc",
    "3.6+x",
    "3.99999999999999999999",
  ].map((version) => `migrate --data-dir {dir}/data --target-version ${version}`),
  ...["3.7", "3.6", "3.6", "3.7", "3.5", "3.5", "3.07", "3.8", "4.0", "3.8 --force"].map(
    (version) => `migrate --data-dir {dir}/data --target-version ${version}`,
  ),
  "snapshot status {dir}/data/member/snap/db",
  ...["3.7", "3.7 --force", "3.9 --force", "3.5", "3.5 --force", "3.7", "4.1 --force", "4.0"].map(
    (version) => `migrate --data-dir {dir}/data --target-version ${version}`,
  ),
  "snapshot status {dir}/data/member/snap/db -w json",
  "migrate --data-dir {dir}/no-wal --target-version 3.6",
  "migrate --data-dir {dir}/no-wal --target-version 3.7",
  "migrate --data-dir {dir}/empty-wal --target-version 3.6",
  "migrate --data-dir {dir}/empty-db --target-version 3.6",
  crash("migrate --data-dir {dir}/bad-db --target-version 3.6"),
  crash("defrag --data-dir {dir}/bad-db"),
  crash("defrag --data-dir {dir}/locked --timeout 200ms"),
  crash("migrate --data-dir {dir}/locked --target-version 3.6 --timeout 200ms"),
  crash("hashkv {dir}/locked/member/snap/db --timeout 200ms"),
];

export interface UtlScene {
  readonly lines: readonly (string | UtlLine)[];
  /** It shows sizes of files that the program wrote: how full it makes its pages is its affair. */
  readonly ownSizes?: true;
}

export const UTL_SCENES: readonly UtlScene[] = [
  { lines: HELP },
  { lines: READING },
  { lines: RESTORING, ownSizes: true },
  { lines: CHANGING, ownSizes: true },
];

/** gRPC status numbers. */
export const CODE = {
  ok: 0,
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

/** How Go prints the codes. */
const CODE_NAMES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
];

/** The name of a status code in Go's spelling, as `Canceled`; `Code(17)` for unknown ones. */
export function codeName(code: number): string {
  return CODE_NAMES[code] ?? `Code(${code})`;
}

/** A refusal as it travels: clients choose what to do by its code and its exact message. */
export interface Failure {
  readonly code: number;
  readonly message: string;
}

type Row = readonly [code: number, message: string];

const row = (code: keyof typeof CODE, text: string): Row => [CODE[code], `etcdserver: ${text}`];
const raw = (code: keyof typeof CODE, message: string): Row => [CODE[code], message];

/** Everything a server refuses with a text of its own. The codes are those that clients see. */
const TABLE = {
  // Keys.
  emptyKey: row("invalidArgument", "key is not provided"),
  keyNotFound: row("invalidArgument", "key not found"),
  valueProvided: row("invalidArgument", "value is provided"),
  leaseProvided: row("invalidArgument", "lease is provided"),
  tooManyOps: row("invalidArgument", "too many operations in txn request"),
  duplicateKey: row("invalidArgument", "duplicate key given in txn request"),
  invalidClientApiVersion: row("invalidArgument", "invalid client api version"),
  invalidSortOption: row("invalidArgument", "invalid sort option"),
  compacted: row("outOfRange", "mvcc: required revision has been compacted"),
  futureRev: row("outOfRange", "mvcc: required revision is a future revision"),
  noSpace: row("resourceExhausted", "mvcc: database space exceeded"),

  // Leases and watches.
  leaseNotFound: row("notFound", "requested lease not found"),
  leaseExist: row("failedPrecondition", "lease already exists"),
  leaseTtlTooLarge: row("outOfRange", "too large lease TTL"),
  watchCanceled: row("canceled", "watch canceled"),

  // Members.
  memberExist: row("failedPrecondition", "member ID already exist"),
  peerUrlExist: row("failedPrecondition", "Peer URLs already exists"),
  // The server answers this one and `tooManyRequests` through the type that its Go client uses
  // for errors, which the gRPC library does not know: they arrive as Unknown.
  memberNotEnoughStarted: row(
    "unknown",
    "re-configuration failed due to not enough started members",
  ),
  memberBadUrls: row("invalidArgument", "given member URLs are invalid"),
  memberNotFound: row("notFound", "member not found"),
  memberNotLearner: row("failedPrecondition", "can only promote a learner member"),
  learnerNotReady: row(
    "failedPrecondition",
    "can only promote a learner member which is in sync with leader",
  ),
  tooManyLearners: row("failedPrecondition", "too many learner members in cluster"),
  clusterIdMismatch: row("failedPrecondition", "cluster ID mismatch"),

  // Admission.
  requestTooLarge: row("invalidArgument", "request is too large"),
  tooManyRequests: row("unknown", "too many requests"),

  // Users and roles.
  rootUserNotExist: row("failedPrecondition", "root user does not exist"),
  rootRoleNotExist: row("failedPrecondition", "root user does not have root role"),
  userAlreadyExist: row("failedPrecondition", "user name already exists"),
  userEmpty: row("invalidArgument", "user name is empty"),
  userNotFound: row("failedPrecondition", "user name not found"),
  roleAlreadyExist: row("failedPrecondition", "role name already exists"),
  roleNotFound: row("failedPrecondition", "role name not found"),
  roleEmpty: row("invalidArgument", "role name is empty"),
  authFailed: row("invalidArgument", "authentication failed, invalid user ID or password"),
  permissionNotGiven: row("invalidArgument", "permission not given"),
  permissionDenied: row("permissionDenied", "permission denied"),
  roleNotGranted: row("failedPrecondition", "role is not granted to the user"),
  permissionNotGranted: row("failedPrecondition", "permission is not granted to the role"),
  authNotEnabled: row("failedPrecondition", "authentication is not enabled"),
  invalidAuthToken: row("unauthenticated", "invalid auth token"),
  invalidAuthMgmt: row("invalidArgument", "invalid auth management"),
  authOldRevision: row("invalidArgument", "revision of auth store is old"),
  passwordNotUsed: raw(
    "unknown",
    "auth: authentication failed, password was given for no password user",
  ),
  invalidAuthOptions: raw("unknown", "auth: invalid auth options"),

  // The cluster's health.
  noLeader: row("unavailable", "no leader"),
  notLeader: row("failedPrecondition", "not leader"),
  leaderChanged: row("unavailable", "leader changed"),
  notCapable: row("failedPrecondition", "not capable"),
  stopped: row("unavailable", "server stopped"),
  timeout: row("unavailable", "request timed out"),
  timeoutDueToLeaderFail: row(
    "unavailable",
    "request timed out, possibly due to previous leader failure",
  ),
  timeoutDueToConnectionLost: row(
    "unavailable",
    "request timed out, possibly due to connection lost",
  ),
  timeoutWaitAppliedIndex: row(
    "unavailable",
    "request timed out, waiting for the applied index took too long",
  ),
  timeoutLeaderTransfer: row("unknown", "request timed out, leader transfer took too long"),
  unhealthy: row("unavailable", "unhealthy cluster"),
  corrupt: row("dataLoss", "corrupt cluster"),
  notSupportedForLearner: row("failedPrecondition", "rpc not supported for learner"),
  badLeaderTransferee: row("failedPrecondition", "bad leader transferee"),
  proposalDropped: raw("unknown", "raft proposal dropped"),
  notPrimaryLessor: raw("unknown", "not a primary lessor"),

  // Going back to an older version.
  wrongDowngradeVersionFormat: row("invalidArgument", "wrong downgrade target version format"),
  invalidDowngradeTargetVersion: row("invalidArgument", "invalid downgrade target version"),
  clusterVersionUnavailable: row(
    "failedPrecondition",
    "cluster version not found during downgrade",
  ),
  downgradeInProcess: row("failedPrecondition", "cluster has a downgrade job in progress"),
  noInflightDowngrade: row("failedPrecondition", "no inflight downgrade job"),
  unknownMethod: row("unknown", "unknown method"),

  // The caller went away, in the server's words and in the library's.
  canceled: row("canceled", "request canceled"),
  deadlineExceeded: row("deadlineExceeded", "context deadline exceeded"),
  contextCanceled: raw("canceled", "context canceled"),
  contextDeadlineExceeded: raw("deadlineExceeded", "context deadline exceeded"),
} as const satisfies Record<string, Row>;

/** The names by which the rooms refuse. */
export type ErrorName = keyof typeof TABLE;

const failures = new Map<string, Failure>(
  Object.entries(TABLE).map(([name, [code, message]]) => [name, Object.freeze({ code, message })]),
);

/** The refusal of that name; the same object every time. */
export function fail(name: ErrorName): Failure {
  return failures.get(name) as Failure;
}

/** All names, for tests and for whoever maps a message back. */
export const errorNames = [...failures.keys()] as readonly ErrorName[];

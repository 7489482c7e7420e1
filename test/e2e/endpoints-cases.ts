/** Requests for both servers, and what is known to differ. */
import type { Ask } from "./endpoints-wire.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const JSON_TYPE = "Content-Type: application/json";

const get = (path: string, ...fields: string[]): Ask => ({ path, fields });
const post = (path: string, body: string, ...fields: string[]): Ask => ({
  method: "POST",
  path,
  body,
  fields: [JSON_TYPE, ...fields],
});
const by = (method: string, path: string): Ask => ({ method, path });

/** What both servers are given first. */
export const SEED: readonly Ask[] = [
  ...["a", "b", "ab", "ä"].map((key) =>
    post("/v3/kv/put", JSON.stringify({ key: base64(key), value: base64(`v-${key}`) })),
  ),
  post("/v3/lease/grant", '{"ID":"77","TTL":"600"}'),
  post("/v3/kv/put", JSON.stringify({ key: base64("leased"), value: "", lease: "77" })),
  post("/v3/kv/compaction", '{"revision":"3"}'),
];

const PAGES: readonly Ask[] = [
  ["/health", "/livez", "/readyz", "/version", "/livez/serializable_read"],
  ["/readyz/data_corruption", "/readyz/serializable_read", "/readyz/linearizable_read"],
  ["/readyz/non_learner", "/readyz/none", "/livez/non_learner", "/health/", "/livez/"],
  ["/health?serializable=true", "/health?serializable=1", "/health?exclude=NOSPACE"],
  ["/livez?verbose", "/livez?verbose=false", "/livez?exclude=serializable_read&verbose"],
  ["/readyz?exclude=linearizable_read&exclude=none", "/readyz?exclude=", "/readyz?exclude=x"],
  ["/livez?exclude=serializable_read", "/livez/serializable_read?verbose", "/", "/nothing"],
  ["//version", "/./version", "/x/../version?a=b", "/version/", "/v2/keys", "/members", "/v3"],
  ["/v3?x", "/v3/", "/v3/kv", "/v3/kv/range", "/v3beta", "/v3beta/", "/v3alpha/kv/range"],
  ["/debug/pprof", "/debug/pprof/", "/debug/requests", "/debug", "/metrics/x", "/%76ersion"],
  ["/ver%zzsion", "/version?%zz", "/version%2f", "/a%20b//c", "/a<b>//c", "/config/local/log"],
]
  .flat()
  .map((path) => get(path));

const METHODS: readonly Ask[] = [
  ...["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"].flatMap((method) => [
    by(method, "/health"),
    by(method, "/version"),
    by(method, "/readyz"),
    by(method, "/v3/kv/range"),
    by(method, "/nothing"),
  ]),
  by("OPTIONS", "//nothing"),
  by("HEAD", "//version"),
  by("POST", "//version"),
  by("HEAD", "/debug/vars"),
  by("POST", "/debug/vars"),
];

const RANGE = JSON.stringify({ key: base64("a") });

const GATEWAY: readonly Ask[] = [
  post("/v3/kv/range", RANGE),
  post("/v3beta/kv/range", RANGE),
  post("/v3/kv/r%61nge", RANGE),
  post("/v3/kv/range?key=Yg==", RANGE),
  post("/v3/kv/range/", RANGE),
  post("/v3//kv/range", RANGE),
  post("/v3/kv/RANGE", RANGE),
  post("/v3/kv/rangestream", RANGE),
  post("/v3/kv/range", ""),
  post("/v3/kv/range", "{"),
  post("/v3/kv/range", `${RANGE}rest`),
  post("/v3/kv/range", RANGE, "Grpc-Timeout: 5S"),
  post("/v3/kv/range", RANGE, "Grpc-Timeout: 5"),
  post("/v3/kv/range", RANGE, "Grpc-Timeout: 0S"),
  post("/v3/kv/range", RANGE, "Grpc-Metadata-Hasleader: true"),
  post("/v3/kv/range", RANGE, "Authorization: Bearer nonsense", "X-Forwarded-For: 10.1.1.1"),
  post("/v3/kv/range", RANGE, "Accept: text/html", "Accept-Encoding: gzip"),
  post("/v3/kv/range", RANGE, "Connection: keep-alive, x", "Connection: close"),
  post("/v3/kv/range", '{"key":"AA==","range_end":"AA==","limit":"2","sort_order":"DESCEND"}'),
  post("/v3/kv/range", '{"key":"AA==","range_end":"AA==","count_only":true}'),
  post("/v3/kv/range", `{"key":"YQ==","revision":"2"}`),
  post("/v3/kv/range", `{"key":"YQ==","revision":"99"}`),
  post("/v3/kv/put", "{}"),
  post("/v3/kv/put", '{"key":"YQ==","lease":"5"}'),
  post("/v3/kv/txn", "{}"),
  post("/v3/kv/compaction", '{"revision":"1"}'),
  post("/v3/kv/compaction", '{"revision":"999"}'),
  post("/v3/lease/grant", '{"ID":"77","TTL":"60"}'),
  post("/v3/lease/grant", '{"TTL":"9999999999"}'),
  post("/v3/lease/revoke", '{"ID":"5"}'),
  post("/v3/kv/lease/revoke", '{"ID":"5"}'),
  post("/v3/lease/timetolive", '{"ID":"5"}'),
  post("/v3/lease/leases", "{}"),
  post("/v3/kv/lease/leases", ""),
  post("/v3/cluster/member/list", "{}"),
  post("/v3/cluster/member/list", '{"linearizable":true}'),
  post("/v3/auth/status", "{}"),
  post("/v3/auth/user/list", "{}"),
  post("/v3/auth/role/get", '{"role":"none"}'),
  post("/v3/maintenance/alarm", "{}"),
  post("/v3/maintenance/hashkv", '{"revision":"99"}'),
];

/** Streams, and bodies in every shape. */
const STREAMS: readonly Ask[] = [
  post("/v3/lease/keepalive", '{"ID":"5"}\n{"ID":6}{"ID":"7"}'),
  post("/v3/lease/keepalive", ""),
  post("/v3/lease/keepalive", "{"),
  post("/v3/lease/keepalive", "7"),
  post("/v3/lease/keepalive", '{"ID":"5"}x{"ID":"6"}'),
  post("/v3/lease/keepalive", '{"ID":"}"}'),
  post("/v3/lease/keepalive", '{"ID":"5"}', "Grpc-Timeout: x"),
  post("/v3/watch", '{"progress_request":{}}', "Grpc-Timeout: 200m"),
  post("/v3/watch", '{"create_request":{"key":"YQ=="}}', "Grpc-Timeout: 200m"),
  {
    ...post(
      "/v3/watch",
      '{"create_request":{"key":"YQ==","start_revision":"4","watch_id":"3"}}' +
        '{"create_request":{"key":"Yg==","watch_id":"9"}}{"cancel_request":{"watch_id":"9"}}',
    ),
    until: (body) => body.trimEnd().split("\n").length >= 3,
  },
  {
    ...post("/v3/watch", '{"create_request":{"key":"AA==","range_end":"AA==","start_revision":1}}'),
    until: (body) => body.trimEnd().split("\n").length >= 2,
  },
  post("/v3/maintenance/snapshot", "{"),
  { ...post("/v3/kv/range", RANGE), cuts: [1, 2, 9] },
  { ...post("/v3/kv/range", RANGE), cuts: [] },
  { ...post("/v3/lease/keepalive", '{"ID":"5"}{"ID":"6"}'), cuts: [3, 12] },
  { ...post("/v3/kv/range", RANGE, "Expect: 100-continue") },
  { ...post("/v3/kv/range", RANGE, "Expect: nonsense") },
  { ...post("/v3/kv/range", RANGE), version: "1.0" },
  { ...get("/version"), version: "1.0" },
  { method: "POST", path: "/v3/kv/range", body: RANGE, fields: ["Content-Type: a/b; c=d"] },
  {
    method: "POST",
    path: "/v3/kv/range",
    body: RANGE,
    fields: ["Content-Type: application/x-www-form-urlencoded"],
  },
  get(
    "/version",
    "Origin: http://a.example",
    "Upgrade: h2c",
    "Connection: Upgrade, HTTP2-Settings",
  ),
  get("/version", "Upgrade: websocket", "Connection: Upgrade"),
  { method: "GET", path: "http://other.example/version", fields: ["Host: other.example"] },
];

export const DEFAULTS: readonly Ask[] = [...PAGES, ...METHODS, ...GATEWAY, ...STREAMS];

/** With `--host-whitelist=good.example,127.0.0.1 --cors=http://friend.example:80`. */
export const GUARDED: readonly Ask[] = [
  get("/version"),
  get("/version", "Host: good.example"),
  get("/version", "Host: good.example:1234"),
  get("/version", "Host: bad.example"),
  get("/version", "Host: bad.example:99"),
  get("/version", 'Host: "quoted"'),
  get("/version", "Host: [::1]:2379"),
  get("/version", "Host: <a>"),
  get("/health", "Host: bad.example"),
  { ...post("/v3/kv/range", RANGE), fields: ["Host: bad.example", JSON_TYPE] },
  by("OPTIONS", "/version"),
  { method: "OPTIONS", path: "/version", fields: ["Host: bad.example"] },
  get("/version", "Origin: http://friend.example:80"),
  get("/version", "Origin: http://stranger.example:80"),
  { method: "OPTIONS", path: "/v3/kv/range", fields: ["Origin: http://friend.example:80"] },
  { method: "OPTIONS", path: "/v3/kv/range", fields: ["Origin: http://stranger.example:80"] },
];

/** With `--enable-grpc-gateway=false`. */
export const WITHOUT_GATEWAY: readonly Ask[] = [
  get("/version"),
  get("/v3"),
  get("/v3/kv/range"),
  post("/v3/kv/range", RANGE),
  by("OPTIONS", "/v3/kv/range"),
];

/** On a port of `--listen-metrics-urls`, and on one of `--listen-client-http-urls`. */
export const SPLIT: readonly Ask[] = [
  ["/health", "/livez?verbose", "/readyz", "/version", "/v3/kv/range", "/nothing", "//health"],
  ["/debug/vars"],
]
  .flat()
  .map((path) => get(path));

export const SPLIT_METHODS: readonly Ask[] = [
  by("OPTIONS", "/health"),
  by("POST", "/livez"),
  by("HEAD", "/readyz"),
  post("/v3/kv/range", RANGE),
];

const NOSPACE = '{"action":"ACTIVATE","memberID":"0","alarm":"NOSPACE"}';
const CORRUPT = '{"action":"ACTIVATE","memberID":"5","alarm":"CORRUPT"}';
const clear = (alarm: string, member: string) =>
  post("/v3/maintenance/alarm", JSON.stringify({ action: "DEACTIVATE", memberID: member, alarm }));
const LOOKS: readonly Ask[] = [
  ["/health", "/health?exclude=NOSPACE", "/health?exclude=CORRUPT", "/readyz?verbose"],
  ["/health?exclude=NOSPACE&exclude=CORRUPT", "/livez", "/readyz?exclude=data_corruption"],
  ["/readyz/data_corruption"],
]
  .flat()
  .map((path) => get(path));

/** The probes while one alarm stands. */
export const ONE_ALARM: readonly Ask[] = [
  post("/v3/maintenance/alarm", NOSPACE),
  ...LOOKS,
  post("/v3/kv/put", '{"key":"YQ=="}'),
  post("/v3/maintenance/alarm", CORRUPT),
];

/** Of two alarms it names one. */
export const HEALTH: Ask = get("/health");

/** The other probes while two stand, and all of them when none does any more. */
export const TWO_ALARMS: readonly Ask[] = [
  ...LOOKS.filter(({ path }) => path !== HEALTH.path),
  post("/v3/kv/put", '{"key":"YQ=="}'),
  clear("CORRUPT", "5"),
  clear("NOSPACE", "0"),
  ...LOOKS,
];

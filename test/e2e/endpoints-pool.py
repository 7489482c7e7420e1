"""Patroni's kind of client: a pool of kept connections, and a watch read as it comes."""
import base64, json, sys
import urllib3

host, port = sys.argv[1].split(":")
pool = urllib3.HTTPConnectionPool(host, int(port), maxsize=2, timeout=5, retries=0)
key = base64.b64encode(b"pool").decode()

def call(path, body):
    answer = pool.request("POST", path, body=json.dumps(body), preload_content=True)
    reply = json.loads(answer.data)
    reply.pop("header", None)
    return answer.status, reply

shown = [pool.request("GET", "/version").status]
shown += [call("/v3/kv/put", {"key": key, "value": key}) for _ in range(20)]
shown.append(call("/v3/kv/range", {"key": key}))
shown.append(call("/v3/kv/put", {}))
shown.append(call("/v3/kv/range", {"key": key, "count_only": True}))
shown.append(["connections", pool.num_connections])
watch = pool.request(
    "POST",
    "/v3/watch",
    body=json.dumps({"create_request": {"key": key, "start_revision": "2"}}),
    preload_content=False,
)
lines, text = [], b""
while len(lines) < 2:
    text += watch.read1(65536) if hasattr(watch, "read1") else watch.read(1)
    *done, text = text.split(b"\n")
    lines += [json.loads(line)["result"] for line in done]
watch.close()
shown.append([len(lines[1].get("events", [])) > 0, lines[0].get("created")])
print(json.dumps(shown))

"""Drives a server in the same container as its users would, over connections that it keeps. Writes what it knows of the server: a word that only that process knows,
how much it has been asked, how many answers were wrong."""
import base64
import http.client
import json
import os
import socket
import sys
import time
import urllib.parse


def tell(begun, count, failed):
    with open("/state.new", "w") as state:
        state.write(f"{begun} {count} {failed}\n")
    os.rename("/state.new", "/state")


def patiently(connect):
    for _ in range(600):
        try:
            return connect()
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server does not answer")


class Http:
    def __init__(self, port, headers={}):
        self.headers = headers
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        patiently(self.connection.connect)

    def __call__(self, path, body=None):
        self.connection.request("POST" if body is not None else "GET", path, body, self.headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()


def metric(http, name):
    _, text = http("/metrics")
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def memcached():
    server = patiently(lambda: socket.create_connection(("127.0.0.1", 11211))).makefile("rwb")

    def ask(line):
        server.write(line.encode() + b"\r\n")
        server.flush()
        return server.readline().decode().strip()

    ask("set begun 0 0 8\r\n%08x" % int.from_bytes(os.urandom(4), "big"))
    ask("set count 0 0 1\r\n0")
    failed = 0
    for count in range(1, 1 << 60):
        failed += int(ask("incr count 1") != str(count))
        if count % 20 == 0:
            ask("get begun")
            begun = server.readline().decode().strip()
            server.readline()
            tell(begun, count, failed)


def nats():
    monitor = Http(8222)
    stream = patiently(lambda: socket.create_connection(("127.0.0.1", 4222)))
    server = stream.makefile("rwb")
    server.readline()
    server.write(b'CONNECT {"verbose":false}\r\nSUB numbers 1\r\n')
    failed = 0
    for count in range(1, 1 << 60):
        word = str(count).encode()
        server.write(b"PUB numbers %d\r\n%s\r\n" % (len(word), word))
        server.flush()
        line = server.readline()
        while not line.startswith(b"MSG"):
            if line.startswith(b"PING"):
                server.write(b"PONG\r\n")
                server.flush()
            line = server.readline()
        failed += int(server.readline().strip() != word)
        if count % 50 == 0:
            shown = json.loads(monitor("/varz")[1])
            tell(shown["server_id"], shown["in_msgs"], failed)


def etcd():
    server = Http(2379)
    word = lambda text: base64.b64encode(str(text).encode()).decode()
    failed = 0
    for count in range(1, 1 << 60):
        server("/v3/kv/put", json.dumps({"key": word("count"), "value": word(count)}))
        _, text = server("/v3/kv/range", json.dumps({"key": word("count")}))
        failed += int(json.loads(text)["kvs"][0]["value"] != word(count))
        if count % 20 == 0:
            tell("-", metric(server, "etcd_mvcc_put_total"), failed)


def prometheus():
    server = Http(9090)
    failed = seen = 0
    query = "/api/v1/query?query=" + urllib.parse.quote("sum(count_over_time(up[1h]))")
    for _ in range(1 << 60):
        result = json.loads(server(query)[1])["data"]["result"]
        samples = float(result[0]["value"][1]) if result else 0
        failed += int(samples < seen)
        seen = samples
        tell("-", metric(server, 'prometheus_http_requests_total{code="200",handler="/api/v1/query"}'), failed)
        time.sleep(0.05)


def influxdb():
    server = Http(8086)
    body = {"username": "u", "password": "password", "org": "o", "bucket": "b", "token": "t"}
    server("/api/v2/setup", json.dumps(body))
    server.headers = {"Authorization": "Token t"}
    query = 'from(bucket:"b") |> range(start: 0) |> filter(fn: (r) => r._measurement == "m") |> count() |> keep(columns: ["_value"])'
    failed = 0
    for count in range(1, 1 << 60):
        status, _ = server("/api/v2/write?org=o&bucket=b&precision=s", f"m v={count}i {1600000000 + count}")
        failed += int(status != 204)
        if count % 20 == 0:
            server.headers = {"Authorization": "Token t", "Content-Type": "application/vnd.flux"}
            lines = server("/api/v2/query?org=o", query)[1].split()
            failed += int(int(lines[1].split(",")[-1] if len(lines) > 1 else 0) != count)
            server.headers = {"Authorization": "Token t"}
            tell("-", metric(server, 'http_api_requests_total{handler="platform",method="POST"'), failed)


def nginx():
    server = Http(8080)
    failed = 0
    for _ in range(1 << 60):
        for _ in range(20):
            failed += int(server("/hello")[1] != "hello\n")
        tell("-", int(server("/status")[1].split()[9]), failed)


def haproxy():
    server = Http(8080)
    failed = 0
    for _ in range(1 << 60):
        for _ in range(20):
            failed += int(server("/hello")[1] != "hello")
        rows = [line.split(",") for line in server("/stats;csv")[1].splitlines()]
        counts = dict(zip(rows[0], next(row for row in rows if row[:2] == ["web", "FRONTEND"])))
        tell("-", int(counts["req_tot"]), failed)


def gunicorn():
    server = Http(8000)
    failed = before = 0
    for _ in range(1 << 60):
        begun, count, _ = server("/ask")[1].split()
        failed += int(int(count) != before + 1)
        before = int(count)
        tell(begun, count, failed)
        server = Http(8000)


globals()[sys.argv[1]]()

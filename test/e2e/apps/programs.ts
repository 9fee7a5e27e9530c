/** Real programs, as scenario `apps` runs them, and what drives them. */

export interface Program {
  /** As the table in docs/compatibility.md names it. */
  title: string;
  /** The image that it is in. */
  group: Group;
  /** A shell script: the container's first process. */
  run: string;
  /** A shell script that prints the program's state, "WORD COUNT WRONG" (see below). Absent: the state is in the file /state. */
  ask?: string;
  env?: Record<string, string>;
  /** It runs under containerd's profile, and starts on n2: containerd 2 denies io_uring, 1.7 does not. */
  seccomp?: true;
  /** It is refused before it is touched, with such a message; `so` says in the table what of it, or which setting, tried here too, lets it move. */
  refused?: { message: RegExp; so: string };
  /** The script comes from a configMap, mounted at /scripts. */
  script?: string;
}

export const GROUPS = ["servers", "languages", "python"] as const;
export type Group = (typeof GROUPS)[number];

/*
 * WORD is one that only this process knows, in its memory ("-": there is none); COUNT is in its memory alone and grows; WRONG counts answers that were not what
 * they had to be, among them lost writes that had been acknowledged.
 */
const drive = (server: string, driver: string, isReady = "true") =>
  `${server} & until ${isReady}; do sleep 0.1; done; python3 /apps/drive.py ${driver} & wait`;
const influxd = (sqlite: string) =>
  `/apps/influxd --engine-path /tmp/engine --bolt-path /tmp/bolt --sqlite-path ${sqlite}`;
const VALKEY_ASK = "echo $(valkey-cli get begun) $(valkey-cli get count) $(cat /wrong | wc -l)";
const valkey = (options: string) => `: >/wrong
valkey-server ${options} & until valkey-cli ping; do sleep 0.1; done
valkey-cli set begun "$(cat /proc/sys/kernel/random/uuid)"
n=0; while :; do n=$((n + 1)); [ "$(valkey-cli incr count)" = "$n" ] || echo "$n" >>/wrong; done`;

/** By the names of their pods. */
export const PROGRAMS: Readonly<Record<string, Program>> = {
  valkey: { title: "Valkey", group: "servers", run: valkey('--save ""'), ask: VALKEY_ASK },
  "valkey-aof": {
    title: "Valkey with an append-only file",
    group: "servers",
    run: valkey("--appendonly yes --dir /tmp"),
    ask: VALKEY_ASK,
  },
  memcached: { title: "Memcached", group: "servers", run: drive("memcached -u root", "memcached") },
  etcd: { title: "etcd", group: "servers", run: drive("etcd --data-dir /tmp/etcd", "etcd") },
  nats: { title: "NATS", group: "servers", run: drive("nats-server -m 8222", "nats") },
  prometheus: {
    title: "Prometheus",
    group: "servers",
    run: drive(
      "prometheus --config.file /apps/prometheus.yml --storage.tsdb.path /tmp/prometheus",
      "prometheus",
      "curl -sf 127.0.0.1:9090/-/ready",
    ),
    env: { GODEBUG: "multipathtcp=0" },
  },
  influxdb: {
    title: "InfluxDB 2 with SQLite in memory",
    group: "servers",
    run: drive(influxd(":memory:"), "influxdb"),
  },
  "influxdb-sqlite": {
    title: "InfluxDB 2",
    group: "servers",
    run: drive(influxd("/tmp/sqlite"), "influxdb"),
    refused: { message: /SQLite database \/tmp\/sqlite/, so: "moved with `--sqlite-path :memory:`" },
  },
  nginx: { title: "nginx with two workers", group: "servers", run: drive("nginx -c /apps/nginx.conf", "nginx") },
  haproxy: { title: "HAProxy", group: "servers", run: drive("haproxy -db -f /apps/haproxy.cfg", "haproxy") },
  go: {
    title: "a Go server",
    group: "servers",
    run: "exec /apps/server",
    ask: "curl -s 127.0.0.1:8080",
    env: { GODEBUG: "multipathtcp=0" },
  },
  "go-mptcp": {
    title: "a Go server that listens with MPTCP",
    group: "servers",
    run: "exec /apps/server",
    ask: "curl -s 127.0.0.1:8080",
    env: { GODEBUG: "multipathtcp=1" },
    refused: { message: /MPTCP \(.*GODEBUG=multipathtcp=0\)/, so: "moved with `GODEBUG=multipathtcp=0`" },
  },
  sqlite: {
    title: "SQLite with a write-ahead log, by Python",
    group: "servers",
    run: "exec python3 /apps/work.py sqlite wal",
  },
  "sqlite-journal": {
    title: "SQLite with a rollback journal, by Python",
    group: "servers",
    run: "exec python3 /apps/work.py sqlite",
    refused: {
      message: /SQLite database \/data\.sqlite .*journal_mode=WAL/,
      so: "moved with `PRAGMA journal_mode=WAL`",
    },
  },
  script: {
    title: "a shell script from a configMap",
    group: "servers",
    run: "exec sh /scripts/script",
    script: `word=$(cat /proc/sys/kernel/random/uuid); n=0
while :; do n=$((n + 1)); echo "$word $n 0" >/state.new; mv /state.new /state; done`,
  },
  "jvm-g1": { title: "a JVM with G1", group: "languages", run: "exec java -XX:+UseG1GC -Xmx256m /apps/Work.java" },
  "jvm-serial": {
    title: "a JVM with the serial collector",
    group: "languages",
    run: "exec java -XX:+UseSerialGC -Xmx256m /apps/Work.java",
  },
  "jvm-zgc": { title: "a JVM with ZGC", group: "languages", run: "exec java -XX:+UseZGC -Xmx256m /apps/Work.java" },
  node: {
    title: "Node.js under seccomp",
    group: "languages",
    run: "exec node /apps/work.js",
    seccomp: true,
  },
  "node-uring": {
    title: "Node.js with io_uring",
    group: "languages",
    run: "exec node /apps/work.js",
    refused: {
      message: /io_uring.*seccomp profile that denies io_uring_setup/,
      so: "moved with `seccompProfile: RuntimeDefault` on a node with containerd 2",
    },
  },
  erlang: {
    title: "Erlang",
    group: "languages",
    run: "erlc -o /tmp /apps/work.erl && exec erl -noshell -pa /tmp -s work start",
  },
  r: { title: "R", group: "languages", run: "exec Rscript /apps/work.R" },
  ruby: { title: "Ruby with threads", group: "languages", run: "exec ruby /apps/work.rb" },
  numpy: { title: "Python with NumPy", group: "python", run: "exec python3 /apps/work.py numpy" },
  torch: {
    title: "PyTorch with two DataLoader workers",
    group: "python",
    run: "exec python3 /apps/work.py torch",
  },
  dask: {
    title: "Dask, a scheduler and two workers",
    group: "python",
    run: "exec python3 /apps/work.py dask",
    refused: { message: /files in \/dev\/shm/, so: "named semaphores (`multiprocessing`) in /dev/shm do not travel" },
  },
  jupyter: {
    title: "a Jupyter kernel and its client, history in memory",
    group: "python",
    run: `mkdir -p ~/.ipython/profile_default
echo "c.HistoryManager.hist_file = ':memory:'" >~/.ipython/profile_default/ipython_kernel_config.py
exec python3 /apps/work.py jupyter`,
  },
  "jupyter-history": {
    title: "a Jupyter kernel and its client",
    group: "python",
    run: "exec python3 /apps/work.py jupyter",
    refused: { message: /history\.sqlite/, so: "moved with `c.HistoryManager.hist_file = ':memory:'`" },
  },
  gunicorn: {
    title: "gunicorn",
    group: "python",
    run: drive("gunicorn --chdir /apps -w 1 -b 127.0.0.1:8000 web:app", "gunicorn"),
  },
};

/** `headroom controller` as the process it is, against an API server and an InfluxDB that echoes what it was sent. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/sandbox/api-server/json.ts";
import { SandboxApiServer } from "../../src/sandbox/api-server/server.ts";
import { installHeadroom } from "../../src/sandbox/installation.ts";
import { until } from "../support/until.ts";

const PROGRAM = new URL("../../scripts/headroom.js", import.meta.url).pathname;
const TOKEN = "influx-token/that+must==not show";
const POLICY: JsonObject = {
  apiVersion: "headroom.dev/v1alpha1",
  kind: "MigrationPolicy",
  metadata: { name: "all" },
  spec: {
    podSelector: {},
    evaluationInterval: "5s",
    metrics: { source: "InfluxDB" },
    pressure: { strategy: "Threshold", freeBelow: "20%" },
    selection: { strategy: "Optimal" },
  },
};

let folder: string;
let server: SandboxApiServer;
let influx: Server;
let started: Controller[];

/** One process. */
class Controller {
  readonly child: ChildProcess;
  log = "";

  constructor(env: Record<string, string>) {
    const { PATH = "" } = process.env;
    this.child = spawn(process.execPath, [PROGRAM, "controller"], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH,
        HOME: folder,
        KUBECONFIG: join(folder, "kubeconfig"),
        HTTP_PORT: "0",
        HTTP_HOST: "127.0.0.1",
        ...env,
      },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on("data", (chunk) => {
        this.log += chunk;
      });
    }
    started.push(this);
  }

  get lines(): Record<string, unknown>[] {
    return this.log
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
  }

  async get(path: string): Promise<{ status: number; text: string }> {
    const port = this.lines.find(({ message }) => message === "controller started")?.httpPort;
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: answer.status, text: await answer.text() };
  }

  says(message: string): Promise<void> {
    return until(() => this.lines.some((line) => line.message === message), message, 40_000);
  }

  exit(signal: NodeJS.Signals): Promise<number | null> {
    const exited = new Promise<number | null>((resolve) => this.child.once("exit", resolve));
    this.child.kill(signal);
    return exited;
  }
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "headroom-controller-"));
  started = [];
  server = await SandboxApiServer.start();
  installHeadroom(server);
  writeFileSync(join(folder, "kubeconfig"), server.kubeconfig());
  influx = createServer((request, response) => {
    const message = `unauthorized: ${request.headers.authorization}`;
    response
      .writeHead(401, { "content-type": "application/json" })
      .end(JSON.stringify({ code: "unauthorized", message }));
  });
  await new Promise<void>((resolve) => influx.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  for (const { child } of started) child.kill("SIGKILL");
  influx.closeAllConnections();
  influx.close();
  await server.close();
});

const influxEnv = () => ({
  INFLUXDB_URL: `http://127.0.0.1:${(influx.address() as AddressInfo).port}`,
  INFLUXDB_ORG: "acme",
  INFLUXDB_BUCKET: "default",
});

/** Processes take their time to start on a busy machine. */
describe("headroom controller", { timeout: 90_000 }, () => {
  test("is ready, tells its metrics, and ends with 0 and without its lease on SIGTERM", async () => {
    const controller = new Controller({});
    await controller.says("leading");
    expect((await controller.get("/healthz")).status).toBe(200);
    expect(await controller.get("/readyz")).toEqual({ status: 200, text: "ok\n" });
    const { text } = await controller.get("/metrics");
    for (const name of ["headroom_leading 1", "headroom_reconciles_total", "process_resident_memory_bytes"]) {
      expect(text).toContain(name);
    }
    expect(await controller.exit("SIGTERM")).toBe(0);
    const lease = server.store.get("leases.coordination.k8s.io", "headroom-system", "headroom-controller");
    expect(lease?.spec).not.toHaveProperty("holderIdentity");
  });

  test("a second one waits, and takes over in a later epoch when the first one stops", async () => {
    const first = new Controller({ POD_NAME: "first" });
    await first.says("leading");
    const second = new Controller({ POD_NAME: "second" });
    await second.says("controller started");
    await first.exit("SIGTERM");
    await second.says("leading");
    const [one, two] = [first, second].map(({ lines }) => lines.find(({ message }) => message === "leading")?.epoch);
    expect(Number(two)).toBeGreaterThan(Number(one));
  });

  test("one that was killed is followed at once by the next process of its pod", async () => {
    const first = new Controller({ POD_NAME: "pod" });
    await first.says("leading");
    await first.exit("SIGKILL");
    const again = new Controller({ POD_NAME: "pod" });
    await again.says("leading");
    const times = again.lines.map(({ time }) => Date.parse(String(time)));
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeLessThan(12_000);
  });

  test("never shows InfluxDB's token: not in its log, not in a status, not in an event", async () => {
    server.apply(POLICY);
    server.apply({ apiVersion: "v1", kind: "Node", metadata: { name: "z1" } });
    writeFileSync(join(folder, ".env"), `INFLUXDB_TOKEN="${TOKEN}"\n`);
    const controller = new Controller({ ...influxEnv(), LOG_LEVEL: "debug" });
    const policy = () => JSON.stringify(server.store.get("migrationpolicies.headroom.dev", undefined, "all") ?? {});
    await until(() => /nauthorized/.test(policy()), "a condition that says so", 40_000);
    const { text } = await controller.get("/metrics");
    await controller.exit("SIGTERM");
    const events = JSON.stringify(server.store.list("events"));
    for (const shown of [policy(), events, controller.log, text]) expect(shown).not.toContain(TOKEN);
    expect(readFileSync(join(folder, ".env"), "utf8")).toContain(TOKEN);
  });

  test("ends with 1, and says why, when a promise was rejected and nothing handles it", async () => {
    const losing = "setTimeout(() => Promise.reject(new Error('a lost failure')), 3000)";
    const controller = new Controller({ NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(losing)}` });
    const code = await new Promise((resolve) => controller.child.once("exit", resolve));
    expect(code).toBe(1);
    expect(controller.log).toContain("unhandled promise rejection: the process ends");
    expect(controller.log).toContain("a lost failure");
  });

  test("says what is missing of InfluxDB's connection in one line, and ends with 2", async () => {
    const controller = new Controller(influxEnv());
    const code = await new Promise((resolve) => controller.child.once("exit", resolve));
    expect(code).toBe(2);
    expect(controller.log).toMatch(/^headroom: INFLUXDB_TOKEN: missing;.*\n$/);
  });
});

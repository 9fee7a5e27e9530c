/** What an idle controller costs: the real process against the sandbox with two nodes and one policy. Memory and processor time from /proc. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { API_VERSION } from "../../../src/api/v1alpha1/group.ts";
import { sleep, systemClock } from "../../../src/kube/clock.ts";
import { arrayAt, stringAt } from "../../../src/sandbox/api-server/json.ts";
import { SandboxApiServer } from "../../../src/sandbox/api-server/server.ts";
import { installHeadroom } from "../../../src/sandbox/installation.ts";
import { SimulatedCluster } from "../../../src/sandbox/nodes/cluster.ts";
import { median } from "../measure.ts";

/** What the image runs, when it has been built; Node needs more memory to run from source. */
const BUILT = new URL("../../../dist/cli/main.js", import.meta.url);
const SOURCE = new URL("../../../src/cli/main.ts", import.meta.url);
const SETTLE_MS = 20_000;
const SLICE_MS = 10_000;
const SLICES = 6;
/** Linux counts processor time in hundredths of a second. */
const TICKS_PER_SECOND = 100;
const GI = 2 ** 30;

export const IDLE_CONTROLLER = "idle controller: two nodes, one policy evaluated every 15 s";

/** One line; takes about a minute and a half. */
export async function idleController(): Promise<string> {
  if (!existsSync("/proc/self/stat")) return "  skipped: needs Linux's /proc";
  const directory = mkdtempSync(join(tmpdir(), "headroom-bench-"));
  const server = await SandboxApiServer.start({ clock: systemClock });
  const nodes = ["z1", "z2"].map((name) => ({ name, capacityBytes: 4 * GI }));
  const cluster = new SimulatedCluster({ server, clock: systemClock, nodes });
  try {
    installHeadroom(server);
    server.apply(policy());
    return await observe(server, directory);
  } finally {
    cluster.stop();
    await server.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function observe(server: SandboxApiServer, directory: string): Promise<string> {
  const kubeconfig = join(directory, "kubeconfig");
  writeFileSync(kubeconfig, server.kubeconfig(), { mode: 0o600 });
  const controller = startController(kubeconfig);
  const ended = new Promise<void>((resolve) => controller.once("exit", () => resolve()));
  try {
    await policyReady(server, AbortSignal.timeout(30_000));
    await sleep(systemClock, SETTLE_MS);
    return await sample(controller.pid ?? 0);
  } finally {
    controller.kill();
    await ended;
  }
}

function startController(kubeconfig: string): ChildProcess {
  const { PATH = "", HOME = "", NODE_OPTIONS = "" } = process.env;
  const env = {
    PATH,
    HOME,
    NODE_OPTIONS,
    KUBECONFIG: kubeconfig,
    POD_NAME: "headroom-controller-0",
    LOG_FORMAT: "json",
  };
  const argv = ["node", "headroom", "controller", "--http-port", "0", "--http-host", "127.0.0.1"];
  const main = existsSync(BUILT) ? BUILT : SOURCE;
  const script = `const { main } = await import("${main.href}"); process.exitCode = await main(${JSON.stringify(argv)});`;
  return spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "ignore", env });
}

async function policyReady(server: SandboxApiServer, limit: AbortSignal): Promise<void> {
  for (;;) {
    limit.throwIfAborted();
    const policy = server.store.get("migrationpolicies.headroom.dev", undefined, "idle");
    const conditions = arrayAt(policy, "status", "conditions");
    const ready = conditions.find((condition) => stringAt(condition, "type") === "Ready");
    if (stringAt(ready, "status") === "True") return;
    await sleep(systemClock, 100, limit);
  }
}

async function sample(pid: number): Promise<string> {
  const shares: number[] = [];
  const sizes: number[] = [];
  for (let slice = 0; slice < SLICES; slice++) {
    const before = processorSeconds(pid);
    await sleep(systemClock, SLICE_MS);
    shares.push((processorSeconds(pid) - before) / (SLICE_MS / 1000));
    sizes.push(residentMiB(pid));
  }
  const percent = (median(shares) * 100).toFixed(2);
  const origin = existsSync(BUILT) ? "built" : "from source; npm run build shows what the image runs";
  return `  median of ${SLICES}: ${median(sizes).toFixed(0)} MiB resident, ${percent} % of a core (${origin})`;
}

function policy() {
  return {
    apiVersion: API_VERSION,
    kind: "MigrationPolicy",
    metadata: { name: "idle" },
    spec: {
      mode: "Enforce",
      podSelector: {},
      metrics: { source: "KubeletSummary" },
      pressure: { strategy: "Threshold", freeBelow: "10%" },
    },
  };
}

/** User and system time so far. Field 2 may hold blanks, so counting begins after its closing bracket. */
function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function residentMiB(pid: number): number {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kibibytes) / 1024;
}

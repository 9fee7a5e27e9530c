/** `headroom demo`: the same workload without and with Headroom, on simulated nodes, in under a minute. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { systemClock } from "../kube/clock.ts";
import { type PhaseOutcome, prepare, runPhase } from "../sandbox/demo/phase.ts";
import { forecastLines, reportLines } from "../sandbox/demo/report.ts";
import { screenFor } from "../sandbox/demo/screen.ts";
import { FORECAST_SCENE, type Scene, THRESHOLD_SCENE } from "../sandbox/demo/workload.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { CommandFailure } from "./failure.ts";
import { whenOutputCloses } from "./output-closed.ts";
import { paletteFor } from "./terminal.ts";

interface DemoFlags {
  serve?: boolean;
  forecast?: boolean;
}

export function addDemoCommand(program: Command): void {
  program
    .command("demo")
    .description("show the same workload without and with Headroom, on simulated nodes (nothing is installed)")
    .option("--forecast", "show instead how a policy that forecasts moves one pod early and leaves another alone")
    .option("--serve", "leave the sandbox up at the end, with a kubeconfig for kubectl")
    .action((flags: DemoFlags) => (flags.forecast ? forecastDemo(flags) : demo(flags)));
}

const PARTS = { clock: systemClock, scene: THRESHOLD_SCENE };

async function demo({ serve }: DemoFlags): Promise<void> {
  const signal = endOfShow();
  // The second sandbox gets ready while the first is shown.
  const ready = prepare({ ...PARTS, headroom: true, directory: newDirectory(), signal });
  ready.catch(() => {}); // it is awaited below, after the first half
  try {
    const before = await withoutHeadroom(signal);
    const sandbox = await ready;
    if (signal.aborted) return;
    const after = await show(sandbox, "2/2  the same with Headroom", signal);
    process.stdout.write(`${reportLines(before, after, paletteFor(process.stdout)).join("\n")}\n`);
    if (serve) await stayUp(sandbox, signal);
    if (after.violations.length > 0) throw new CommandFailure("an invariant was broken, see above");
  } finally {
    await end(await ready);
  }
}

async function forecastDemo({ serve }: DemoFlags): Promise<void> {
  const signal = endOfShow();
  const scene = FORECAST_SCENE;
  const sandbox = await prepare({ clock: systemClock, scene, headroom: true, directory: newDirectory(), signal });
  try {
    const outcome = await show(sandbox, "a policy that forecasts", signal, scene);
    process.stdout.write(`${forecastLines(outcome, paletteFor(process.stdout)).join("\n")}\n`);
    if (serve) await stayUp(sandbox, signal);
    if (outcome.violations.length > 0) throw new CommandFailure("an invariant was broken, see above");
  } finally {
    await end(sandbox);
  }
}

/** Aborted when it is interrupted, or nobody looks on. */
function endOfShow(): AbortSignal {
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupted.abort());
  return AbortSignal.any([interrupted.signal, whenOutputCloses(process.stdout)]);
}

async function withoutHeadroom(signal: AbortSignal): Promise<PhaseOutcome> {
  const sandbox = await prepare({ ...PARTS, headroom: false, directory: newDirectory(), signal });
  try {
    return await show(sandbox, "1/2  without Headroom", signal);
  } finally {
    await end(sandbox);
  }
}

const newDirectory = (): string => mkdtempSync(join(tmpdir(), "headroom-demo-"));

async function end(sandbox: Sandbox): Promise<void> {
  await sandbox.close();
  rmSync(sandbox.directory, { recursive: true, force: true });
}

function show(
  sandbox: Sandbox,
  title: string,
  signal: AbortSignal,
  scene: Scene = THRESHOLD_SCENE,
): Promise<PhaseOutcome> {
  const screen = screenFor(process.stdout, paletteFor(process.stdout));
  return runPhase(sandbox, { title, screen, clock: systemClock, scene, signal });
}

async function stayUp(sandbox: Sandbox, signal: AbortSignal): Promise<void> {
  const lines = [
    "",
    "The sandbox stays up until Ctrl-C:",
    "",
    `  export KUBECONFIG=${sandbox.kubeconfigFile}`,
    "  kubectl get podmigrations",
    "  kubectl get pods -o wide",
    "",
  ];
  process.stdout.write(lines.join("\n"));
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

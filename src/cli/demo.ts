/** `headroom demo`: the same workload without and with Headroom, on simulated nodes, in under a minute. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { systemClock } from "../kube/clock.ts";
import { type PhaseOutcome, prepare, runPhase } from "../sandbox/demo/phase.ts";
import { reportLines } from "../sandbox/demo/report.ts";
import { screenFor } from "../sandbox/demo/screen.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { CommandFailure } from "./failure.ts";
import { paletteFor } from "./terminal.ts";

interface DemoFlags {
  serve?: boolean;
}

const PHASE_MS = 22_000;

export function addDemoCommand(program: Command): void {
  program
    .command("demo")
    .description("show the same workload without and with Headroom, on simulated nodes (nothing is installed)")
    .option("--serve", "leave the sandbox up at the end, with a kubeconfig for kubectl")
    .action((flags: DemoFlags) => demo(flags));
}

async function demo(flags: DemoFlags): Promise<void> {
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupted.abort());
  const { signal } = interrupted;
  // The second sandbox gets ready while the first is shown.
  const ready = prepare({ clock: systemClock, headroom: true, directory: newDirectory(), signal });
  ready.catch(() => {}); // it is awaited below, after the first half
  const without = await prepare({ clock: systemClock, headroom: false, directory: newDirectory(), signal });
  const before = await show(without, "1/2  without Headroom", signal);
  await without.close();
  const sandbox = await ready;
  try {
    if (signal.aborted) return;
    const after = await show(sandbox, "2/2  the same with Headroom", signal);
    process.stdout.write(`${reportLines(before, after, paletteFor(process.stdout)).join("\n")}\n`);
    if (flags.serve) await serve(sandbox, signal);
    if (after.violations.length > 0) throw new CommandFailure("an invariant was broken, see above");
  } finally {
    await sandbox.close();
  }
}

const newDirectory = (): string => mkdtempSync(join(tmpdir(), "headroom-demo-"));

function show(sandbox: Sandbox, title: string, signal: AbortSignal): Promise<PhaseOutcome> {
  const screen = screenFor(process.stdout, paletteFor(process.stdout));
  return runPhase(sandbox, { title, screen, clock: systemClock, lengthMs: PHASE_MS, signal });
}

async function serve(sandbox: Sandbox, signal: AbortSignal): Promise<void> {
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

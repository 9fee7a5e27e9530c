/** `headroom demo`: the same workload without and with Headroom, on simulated nodes, in under a minute. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { systemClock } from "../kube/clock.ts";
import { runPhase } from "../sandbox/demo/phase.ts";
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
  process.once("SIGINT", () => interrupted.abort());
  process.once("SIGTERM", () => interrupted.abort());
  const palette = paletteFor(process.stdout);
  const options = {
    lengthMs: PHASE_MS,
    clock: systemClock,
    screen: screenFor(process.stdout, palette),
    directory: mkdtempSync(join(tmpdir(), "headroom-demo-")),
    signal: interrupted.signal,
  };
  const without = await runPhase({ ...options, title: "1/2  without Headroom", headroom: false });
  await without.sandbox.close();
  if (interrupted.signal.aborted) return;
  const withHeadroom = await runPhase({ ...options, title: "2/2  with Headroom", headroom: true });
  try {
    const lines = reportLines(without.outcome, withHeadroom.outcome, palette);
    process.stdout.write(`${lines.join("\n")}\n`);
    if (flags.serve) await serve(withHeadroom.sandbox, interrupted.signal);
  } finally {
    await withHeadroom.sandbox.close();
  }
  if (withHeadroom.outcome.violations.length > 0) throw new CommandFailure("an invariant was broken, see above");
}

async function serve(sandbox: Sandbox, signal: AbortSignal): Promise<void> {
  process.stdout.write(
    `\nThe sandbox stays up until Ctrl-C:\n\n  export KUBECONFIG=${sandbox.kubeconfigFile}\n  kubectl get podmigrations,pods -o wide\n`,
  );
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

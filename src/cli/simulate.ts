/** `headroom simulate`: what policies would have done to a cluster, on recorded or generated memory, beside no policy at all. */
import type { Command } from "commander";
import { compare } from "../simulator/comparing/compare.ts";
import type { Comparison, ComparisonReport } from "../simulator/comparing/comparison.ts";
import { openWorkload } from "../simulator/comparing/workload-input.ts";
import { renderCsv } from "../simulator/report/csv.ts";
import { renderHtml } from "../simulator/report/html/render-html.ts";
import { writeWorkload } from "../simulator/workloads/formats/workload-document.ts";
import { CommandFailure, EXIT } from "./failure.ts";
import type { SimulateFlags } from "./simulate/flags.ts";
import { type Gathered, gather } from "./simulate/gather.ts";
import { checkWritable, misusedOutputs, Outputs, showsTable } from "./simulate/outputs.ts";
import { progressBar } from "./simulate/progress-bar.ts";
import { renderComparison } from "./simulate/render-comparison.ts";
import { paletteFor } from "./terminal.ts";

const HELP = `
Every policy file is a variant; all are run on the same seeds, beside no policy at all (none) and a planner that knows the future (clairvoyant).
Policies in DryRun are simulated as if they enforced. Nothing is asked of a cluster. Results depend on input and seeds alone.

Examples:
  headroom simulate --policy config/policy.yaml --labels tier=batch
  headroom simulate --trace config/study/mixed.yaml --cluster 4x40Gi --policy config/study/threshold.yaml --policy config/study/forecast.yaml --html report.html
  headroom simulate --policy config/policy.yaml --labels tier=batch --sweep pressure.freeBelow=5%..40%/5% --csv sweep.csv

Exit codes: 0 compared; 1 a file cannot be written, or the simulation failed; 2 a file or the command line is wrong: each wrong
            field is named; 130 interrupted: what was done is shown and written.`;

export function addSimulateCommand(program: Command): void {
  const command = program
    .command("simulate")
    .description(
      "show what policies would have done to a cluster: kills, moves and work lost, on recorded or generated memory",
    )
    .option(
      "--trace <files...>",
      "recorded pods or a GeneratedWorkload; files or directories, of any known format (default: 350 generated pods over 4 h)",
    )
    .option("--cluster <file>", "the nodes: a file, or a shorthand such as 10x64Gi (default without --trace: 10x64Gi)")
    .option("--policy <files...>", "MigrationPolicies; those of one file act together. May be given several times")
    .option("--seeds <seeds>", "how many, or a range such as 20001..20030", "30")
    .option(
      "--sweep <sweeps...>",
      "[POLICY:]PATH=FROM..TO/STEP or [POLICY:]PATH=A,B,C, as pressure.freeBelow=5%..40%/5%",
    )
    .option("--json <file>", "write the comparison as JSON; - is standard output, in place of the table")
    .option("--csv <file>", "write a row for each variant, seed and score; - is standard output, in place of the table")
    .option("--html <file>", "write a report that needs nothing else, with the first seed's runs in full")
    .option(
      "--save-trace <file>",
      "write the first seed's pods, in the simulator's own format, to look at or to give as --trace",
    )
    .option("--workers <number>", "threads (default: one for each core)")
    .option("--until <duration>", "when to end (default: as the traces say)")
    .option("--labels <labels...>", "KEY=VALUE, put on every pod: recordings have none, policies select by them")
    .option("--reserve <part>", "what should stay free of each node; use beyond it is scored", "10%");
  addConditions(command);
  command.addHelpText("after", HELP).action((flags: SimulateFlags) => simulate(flags));
}

function addConditions(command: Command): void {
  command
    .option(
      "--request-factor <number>",
      "what pods request, as a part of their peak (default: what files say, else half)",
    )
    .option(
      "--gaps <treatment>",
      "of recordings: interpolate fills them in, keep leaves samples of a pod that never came (default: interpolate)",
    )
    .option("--tick <duration>", "step in which memory is followed (default: 10s)")
    .option("--metrics-interval <duration>", "between samples of a node or pod (default: 10s)")
    .option("--metrics-delay <duration>", "until a sample is seen (default: 10s)")
    .option("--metrics-loss <part>", "of the samples that never arrive (default: 0%)")
    .option(
      "--scheduler <name>",
      "LeastRequested or Balanced: how nodes are ranked for new pods (default: LeastRequested)",
    )
    .option("--eviction <quantity>", "the kubelet evicts while less is free (default: 100Mi)")
    .option("--restart <duration>", "until a killed pod starts again (default: 10s)")
    .option("--move-fixed <duration>", "what a move takes whatever its size (default: 3s)")
    .option("--move-bandwidth <quantity>", "bytes that a move transfers a second, frozen (default: 285Mi)")
    .option("--move-noise <number>", "standard deviation of the logarithm of what moves take (default: 0.2)")
    .option("--failure-rate <part>", "of the moves that fail and are rolled back (default: 1%)");
}

async function simulate(flags: SimulateFlags): Promise<void> {
  const gathered = gather(flags);
  const wrong = [...(gathered.ok ? [] : gathered.lines), ...misusedOutputs(flags)];
  if (!gathered.ok || wrong.length > 0) throw new CommandFailure(wrong.join("\n"), EXIT.usage);
  checkWritable(flags);
  const { yellow } = paletteFor(process.stderr);
  for (const line of gathered.value.warnings) process.stderr.write(`${yellow("headroom:")} ${line}\n`);
  const { input, settings } = gathered.value;
  const outputs = new Outputs();
  outputs.write(flags.saveTrace, () => writeWorkload(openWorkload(input.workload)(settings.seeds[0] ?? 0)));
  const { report, interrupted } = await run(gathered.value, flags.html !== undefined);
  const { seeds, seedsAsked } = report.comparison;
  if (seeds.length === 0)
    throw new CommandFailure("interrupted before a seed was compared: nothing to show", EXIT.interrupted);
  show(report, flags, outputs);
  outputs.end();
  if (interrupted)
    throw new CommandFailure(`interrupted: ${seeds.length} of ${seedsAsked} seeds are compared`, EXIT.interrupted);
}

/** Ctrl-C keeps what is done; a second one ends the process as usual. */
async function run(
  { input, sweeps, settings }: Gathered,
  keepRuns: boolean,
): Promise<{ report: ComparisonReport; interrupted: boolean }> {
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt);
  const bar = progressBar(process.stderr, () => performance.now());
  try {
    const report = await compare({
      input,
      sweeps,
      seeds: settings.seeds,
      workers: settings.workers,
      keepRuns,
      signal: stop.signal,
      onProgress: bar.update,
    });
    return { report, interrupted: stop.signal.aborted && report.comparison.seeds.length < settings.seeds.length };
  } finally {
    bar.end();
    process.off("SIGINT", interrupt);
  }
}

function show(report: ComparisonReport, flags: SimulateFlags, outputs: Outputs): void {
  const { comparison } = report;
  if (showsTable(flags)) console.log(renderComparison(comparison, paletteFor(process.stdout)));
  outputs.write(flags.json, () => jsonText(comparison));
  outputs.write(flags.csv, () => renderCsv(comparison));
  outputs.write(flags.html, () => renderHtml(report));
}

/** The same bytes for the same input and seeds. */
const jsonText = (comparison: Comparison) => `${JSON.stringify(comparison)}\n`;

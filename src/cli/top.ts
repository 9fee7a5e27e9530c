/** `headroom top`: how much memory nodes have left, and which pods use it. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { readControllerConfig } from "../config/controller-config.ts";
import type { KubeClient } from "../kube/client.ts";
import { type Clock, sleep, systemClock } from "../kube/clock.ts";
import { NODES, PODS } from "../kube/resources.ts";
import { collectRequest } from "../metrics/live.ts";
import type { MetricsSource, SourceName } from "../metrics/source.ts";
import { createMetricsSources } from "../metrics/sources.ts";
import { CommandFailure } from "./failure.ts";
import { clusterOf, type KubeFlags } from "./kube-flags.ts";
import { whenOutputCloses } from "./output-closed.ts";
import { renderReport } from "./top/render.ts";
import { report, type TopReport } from "./top/report.ts";

interface TopFlags extends KubeFlags {
  source?: SourceName;
  pods: number;
  output: "table" | "json";
  watch?: true | number;
}

const WATCH_SECONDS = 5;

export function addTopCommand(program: Command): void {
  program
    .command("top")
    .description("show the memory of nodes (capacity, used, free) and of pods, the largest first")
    .option("-n, --namespace <name>", "only pods of this namespace (default: of all)")
    .addOption(
      new Option(
        "--source <name>",
        "where to read from (default: InfluxDB when INFLUXDB_* are set, else the kubelets)",
      ).choices(["InfluxDB", "KubeletSummary"] satisfies SourceName[]),
    )
    .option("--pods <count>", "show so many pods at most", wholeNumber, 20)
    .addOption(
      new Option("-o, --output <format>", "table, or json: bytes and RFC 3339 times")
        .choices(["table", "json"])
        .default("table"),
    )
    .option(
      "-w, --watch [seconds]",
      `again every so many seconds (default: ${WATCH_SECONDS}), until interrupted`,
      wholeNumber,
    )
    .option("--kubeconfig <file>", "kubeconfig file (default: KUBECONFIG, ~/.kube/config)")
    .option("--context <name>", "context of the kubeconfig")
    .action((flags: TopFlags) => top(flags));
}

async function top(flags: TopFlags): Promise<void> {
  const { influx } = readControllerConfig({ flags: {}, env: process.env });
  const { client, transport } = clusterOf(flags);
  const sources = createMetricsSources({ kube: client, clock: systemClock, influx, kubeletSummary: true });
  const source = sources[flags.source ?? (influx === undefined ? "KubeletSummary" : "InfluxDB")];
  try {
    await show(client, source, flags, systemClock);
  } finally {
    await transport.close();
  }
}

async function show(client: KubeClient, source: MetricsSource, flags: TopFlags, clock: Clock): Promise<void> {
  if (flags.watch === undefined) {
    print(await look(client, source, clock, flags.namespace), flags);
    return;
  }
  const seconds = flags.watch === true ? WATCH_SECONDS : flags.watch;
  const unread = whenOutputCloses(process.stdout);
  for (;;) {
    await showAgain(client, source, flags, clock);
    await sleep(clock, seconds * 1000, unread);
    unread.throwIfAborted();
  }
}

/** While watching, a failure is said and the next look tried. */
async function showAgain(client: KubeClient, source: MetricsSource, flags: TopFlags, clock: Clock): Promise<void> {
  try {
    print(await look(client, source, clock, flags.namespace), flags);
  } catch (error) {
    process.stderr.write(`headroom: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

/** Throws a CommandFailure when the source has no answer, a KubeError when the API server has none. */
export async function look(
  client: Pick<KubeClient, "list">,
  source: MetricsSource,
  clock: Pick<Clock, "now">,
  onlyNamespace?: string,
): Promise<TopReport> {
  const [nodes, pods] = await Promise.all([client.list(NODES), client.list(PODS)]);
  const inventory = { nodes: nodes.items, pods: pods.items };
  const result = await source.collect(collectRequest(clock.now(), inventory.nodes, inventory.pods));
  if (!result.ok) throw new CommandFailure(result.error.message);
  return report(inventory, result.reading, onlyNamespace);
}

function print(found: TopReport, { output, pods, watch }: TopFlags): void {
  if (output === "json") {
    console.log(watch === undefined ? JSON.stringify(found, null, 2) : JSON.stringify(found));
    return;
  }
  const clear = watch !== undefined && process.stdout.isTTY ? "\x1b[H\x1b[2J" : "";
  console.log(`${clear}${renderReport(found, pods)}`);
}

function wholeNumber(text: string): number {
  if (!/^[1-9][0-9]*$/.test(text)) throw new InvalidArgumentError("must be a whole number from 1 on");
  return Number(text);
}

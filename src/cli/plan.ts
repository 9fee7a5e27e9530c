/** `headroom plan`: what would be moved, where to, and why not otherwise; of a snapshot in a file, or of the live cluster. */
import { readFileSync, writeFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { dump } from "js-yaml";
import type { MetricsSourceName } from "../api/v1alpha1/migration-policy.ts";
import { METRICS_SOURCES } from "../api/v1alpha1/migration-policy.ts";
import { readControllerConfig } from "../config/controller-config.ts";
import { systemClock } from "../kube/clock.ts";
import { createMetricsSources } from "../metrics/sources.ts";
import { evaluate } from "../planning/evaluate.ts";
import type { Policy } from "../planning/policy.ts";
import type { ClusterSnapshot } from "../planning/snapshot.ts";
import { writeSnapshot } from "../planning/written-snapshot/write-snapshot.ts";
import { CommandFailure, EXIT } from "./failure.ts";
import { clusterOf, type KubeFlags } from "./kube-flags.ts";
import { overwriting } from "./overwriting.ts";
import { clusterPolicies, liveSnapshot } from "./plan/live-snapshot.ts";
import { planDocument } from "./plan/plan-document.ts";
import { type NamedText, type Read, readPolicyTexts, readSnapshotText } from "./plan/read-documents.ts";
import { renderPlan } from "./plan/render-plan.ts";

interface PlanFlags extends KubeFlags {
  snapshot?: string;
  policy?: string[];
  save?: string;
  output: "table" | "json" | "yaml";
}

const HELP = `
Without --snapshot the live cluster is looked at, and without --policy its own policies are taken. Nothing is moved. A policy in
DryRun plans as one in Enforce does.

Exit codes: 0 a plan was made, whatever its outcome; 1 a file, the cluster or its metrics cannot be read;
            2 a snapshot, a policy or the command line is wrong: each wrong field is named.`;

export function addPlanCommand(program: Command): void {
  program
    .command("plan")
    .description("show what would be moved where, and why not otherwise, without moving anything")
    .option("--snapshot <file>", "a ClusterSnapshot, YAML or JSON; - is standard input (default: the live cluster)")
    .option("--policy <files...>", "MigrationPolicies, YAML or JSON; may be given several times")
    .option("--save <file>", "write the live cluster's snapshot to this file (.json: as JSON, else YAML)")
    .addOption(
      new Option("-o, --output <format>", "table, json or yaml").choices(["table", "json", "yaml"]).default("table"),
    )
    .option("--kubeconfig <file>", "kubeconfig file (default: KUBECONFIG, ~/.kube/config)")
    .option("--context <name>", "context of the kubeconfig")
    .addHelpText("after", HELP)
    .action((flags: PlanFlags) => plan(flags));
}

async function plan(flags: PlanFlags): Promise<void> {
  const { snapshot, policies } = flags.snapshot === undefined ? await gatherLive(flags) : gatherWritten(flags);
  const evaluation = evaluate(snapshot, policies);
  const document = planDocument(snapshot, evaluation);
  if (flags.output === "json") console.log(JSON.stringify(document, null, 2));
  else if (flags.output === "yaml") process.stdout.write(dump(document, { lineWidth: -1, noRefs: true }));
  else console.log(renderPlan(document, evaluation.decision));
}

interface Gathered {
  snapshot: ClusterSnapshot;
  policies: Policy[];
}

/** Whatever is wrong in any of the files is told at once. */
function gatherWritten({ snapshot: file = "", policy: files = [], save }: PlanFlags): Gathered {
  if (save !== undefined) throw new CommandFailure("--save: only of the live cluster, without --snapshot", EXIT.usage);
  if (files.length === 0) throw new CommandFailure("--policy: is needed beside --snapshot", EXIT.usage);
  const [written, given] = [textsOf([file]), textsOf(files)];
  const [text] = written.texts;
  const snapshot = text && readSnapshotText(text);
  const policies = readPolicyTexts(given.texts);
  const unread = [...written.unread, ...given.unread];
  if (unread.length === 0 && snapshot?.ok && policies.ok) {
    return { snapshot: snapshot.value, policies: policies.value };
  }
  throw refusal(unread, [snapshot, policies]);
}

/** `unread`: a line for each file that cannot be read. */
function refusal(unread: readonly string[], read: readonly (Read<unknown> | undefined)[]): CommandFailure {
  const lines = [...unread, ...read.flatMap((one) => (one?.ok === false ? one.lines : []))];
  return new CommandFailure(lines.join("\n"), unread.length > 0 ? EXIT.failed : EXIT.usage);
}

function textsOf(files: readonly string[]): { texts: NamedText[]; unread: string[] } {
  const texts: NamedText[] = [];
  const unread: string[] = [];
  for (const file of files) {
    const name = file === "-" ? "standard input" : file;
    try {
      texts.push({ name, text: readFileSync(file === "-" ? 0 : file, "utf8") });
    } catch (error) {
      unread.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { texts, unread };
}

async function gatherLive(flags: PlanFlags): Promise<Gathered> {
  const { texts, unread } = textsOf(flags.policy ?? []);
  const given = flags.policy && readPolicyTexts(texts);
  const saving = checkSave(flags);
  if (unread.length > 0 || given?.ok === false || !saving.ok) throw refusal(unread, [given, saving]);
  const { influx, namespace } = readControllerConfig({ flags: {}, env: process.env });
  const { client, transport } = clusterOf(flags);
  try {
    const policies = given?.value ?? (await clusterPolicies(client));
    const wanted = METRICS_SOURCES.filter((source) => policies.some((policy) => policy.source === source));
    if (flags.save !== undefined) oneSource(wanted);
    const sources = createMetricsSources({ kube: client, clock: systemClock, influx, kubeletSummary: true });
    const snapshot = await liveSnapshot({ client, sources, wanted, nowMs: systemClock.now(), namespace });
    if (flags.save !== undefined) save(flags.save, writeSnapshot(snapshot, wanted[0]));
    return { snapshot, policies };
  } finally {
    await transport.close();
  }
}

/** Nothing that is read is to be lost. */
function checkSave({ save: file, policy = [], kubeconfig }: PlanFlags): Read<undefined> {
  const inputs = [
    ...policy.map((file) => ({ flag: "--policy", file })),
    ...(kubeconfig === undefined ? [] : [{ flag: "--kubeconfig", file: kubeconfig }]),
  ];
  const lost = file === undefined ? undefined : overwriting({ flag: "--save", file }, inputs);
  return lost === undefined ? { ok: true, value: undefined } : { ok: false, lines: [lost] };
}

/** A written snapshot has one figure for each node and pod. */
function oneSource(wanted: readonly MetricsSourceName[]): void {
  if (wanted.length <= 1) return;
  throw new CommandFailure(
    `--save: the policies read ${wanted.join(" and ")}; give those of one with --policy`,
    EXIT.usage,
  );
}

function save(file: string, written: object): void {
  const text = file.endsWith(".json")
    ? `${JSON.stringify(written, null, 2)}\n`
    : dump(written, { lineWidth: -1, noRefs: true });
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new CommandFailure(`${file}: ${error instanceof Error ? error.message : String(error)}`, EXIT.failed, error);
  }
}

/** The end-to-end tests and the cluster they run on: see README.md here. */
import { spawn } from "node:child_process";
import { Command, InvalidArgumentError, Option } from "commander";
import { catalogue } from "./chaos/catalogue.ts";
import { chaos } from "./chaos/command.ts";
import { hierarchies } from "./cluster/cgroups.ts";
import { type Cluster, down, machineOf, saved, up } from "./cluster/cluster.ts";
import { influxOutput } from "./cluster/influxdb.ts";
import { instanceFrom, type Settings, settingsFor } from "./cluster/settings.ts";
import { Api } from "./harness/api.ts";
import { importOperatorImages, installHeadroom, operatorImages } from "./harness/headroom.ts";
import { Runner } from "./harness/runner.ts";
import { onVirtualMachines, type Scenario, VIRTUAL_NODE_MIB } from "./harness/scenario.ts";
import { scenarios } from "./scenarios/all.ts";

const say = (line: string): void => console.error(line);
const settings: Settings = settingsFor(instanceFrom(process.env), process.env);

async function current(): Promise<Cluster> {
  const cluster = await saved(settings);
  if (!cluster) throw new Error(`instance ${settings.instance} is not up: npm run test:e2e -- up`);
  return cluster;
}

function environmentOf(cluster: Cluster): string[] {
  const { url, org, bucket, token } = influxOutput(cluster.settings);
  return [
    `export KUBECONFIG=${cluster.kubeconfig}`,
    `export PATH=${cluster.programs.kubernetes}:${cluster.programs.tools}:$PATH`,
    `export INFLUXDB_URL=${url} INFLUXDB_ORG=${org} INFLUXDB_BUCKET=${bucket} INFLUXDB_TOKEN=${token}`,
  ];
}

function memoryList(text: string): number[] {
  const sizes = text.split(",").map(Number);
  if (sizes.some((size) => !Number.isInteger(size) || size < 256)) {
    throw new Error(`--nodes takes the nodes' memory in MiB, at least 256 each, such as 2048,1024; not "${text}"`);
  }
  return sizes;
}

function kubernetesVersion(text: string): string {
  if (/^1\.\d+\.\d+$/.test(text)) return text;
  throw new InvalidArgumentError("It must be a whole version, such as 1.30.14.");
}

/** A cluster of another version of Kubernetes is built from source the first time. */
const withVersion = (): Option =>
  new Option("--kubernetes <version>", "version of Kubernetes, from 1.30 on; built when it is asked for the first time")
    .argParser(kubernetesVersion)
    .default(settings.kubernetesVersion);

interface VersionFlag {
  kubernetes: string;
}

const settingsOf = ({ kubernetes }: VersionFlag): Settings => ({ ...settings, kubernetesVersion: kubernetes });

interface UpFlags extends VersionFlag {
  nodes: string;
  vmNodes?: number;
  runtimeRequestTimeout?: string;
}

async function commandUp(options: UpFlags): Promise<void> {
  const { runtimeRequestTimeout } = options;
  takeDownWhenInterrupted();
  const kubelet = runtimeRequestTimeout ? { runtimeRequestTimeout } : {};
  const { vmNodes } = options;
  const nodes = vmNodes
    ? {
        nodeMemoryMiB: Array<number>(vmNodes).fill(VIRTUAL_NODE_MIB),
        virtual: true,
        images: await operatorImages(settings, say),
      }
    : { nodeMemoryMiB: memoryList(options.nodes) };
  const cluster = await up(settingsOf(options), { ...nodes, kubelet }, say);
  for (const line of environmentOf(cluster)) console.log(line);
  say("in a node: npm run test:e2e -- node n1 [COMMAND…]; take it down: npm run test:e2e -- down");
}

async function commandNode(name: string, command: string[]): Promise<void> {
  const cluster = await current();
  const machine = machineOf(cluster, name);
  const [program, args] = machine.entering(command.length > 0 ? command : ["bash"]);
  const child = spawn(program, args, { stdio: "inherit" });
  process.exitCode = await new Promise<number>((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
}

interface TestOptions extends VersionFlag {
  only?: string;
  keep?: boolean;
  attach?: boolean;
  vm?: boolean;
}

/** Why the tests cannot run on this machine, if so. */
function obstacle(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "they need root on Linux";
  if (hierarchies().length === 0) return "they need cgroup v1";
  return undefined;
}

/**
 * An interrupted run leaves nothing behind. The same signal may come more than once (Ctrl-C reaches npm, too, which passes it on), and
 * nobody may be listening any more.
 */
function takeDownWhenInterrupted(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  let leaving: Promise<void> | undefined;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (leaving) return;
      say(`${signal}: taking the cluster down`);
      leaving = down(settings, say).finally(() => process.exit(130));
    });
  }
}

async function commandTest(names: string[], options: TestOptions): Promise<void> {
  const unknown = names.find((name) => !scenarios.some((scenario) => scenario.id === name));
  if (unknown) throw new Error(`no scenario ${unknown}; there are ${scenarios.map(({ id }) => id).join(", ")}`);
  const asked = scenarios.filter((scenario) => (names.length === 0 ? !scenario.onDemand : names.includes(scenario.id)));
  const chosen = options.vm ? asked.map(onVirtualMachines) : asked;
  const reason = obstacle();
  if (reason) {
    const skipped = chosen.flatMap((scenario) => scenario.tests).length;
    console.log(`THE END-TO-END TESTS WERE NOT RUN: ${reason}\n0 passed, 0 failed, ${skipped} skipped`);
    return;
  }
  const { only, keep = false, attach = false } = options;
  if (!attach) takeDownWhenInterrupted();
  const runner = new Runner({ settings: settingsOf(options), only, keep, attach, print: console.log });
  await runner.run(chosen);
  const { passed, failed } = runner.counts;
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("It must be a whole number, at least 1.");
  return value;
}

interface ChaosFlags extends VersionFlag {
  seed: number;
  seeds: number;
  moves: number;
  faults?: string;
  results?: string;
  stop?: boolean;
}

async function commandChaos({ faults, stop = false, kubernetes, ...options }: ChaosFlags): Promise<void> {
  if (faults === "list") return listFaults();
  const reason = obstacle();
  if (reason) throw new Error(`moves under random faults cannot be played here: ${reason}`);
  takeDownWhenInterrupted();
  const chosen = faults ? { faults: faults.split(",") } : {};
  const isClean = await chaos(settingsOf({ kubernetes }), { ...options, ...chosen, stop }, console.log);
  process.exitCode = isClean ? 0 : 1;
}

function listFaults(): void {
  const width = Math.max(...catalogue.map(({ id }) => id.length));
  for (const { id, about } of catalogue) console.log(`${id.padEnd(width)}  ${about}`);
}

function listed({ id, title, onDemand }: Scenario): string {
  return `${id} (${title}${onDemand ? "; on demand" : ""})`;
}

const program = new Command("test:e2e")
  .enablePositionalOptions()
  .description("A real Kubernetes cluster on this machine, and the tests that run on it.");
program
  .command("test", { isDefault: true })
  .description(`run scenarios by name, or all but those on demand: ${scenarios.map(listed).join(", ")}`)
  .argument("[scenario...]")
  .addOption(withVersion())
  .option("--only <text>", "only tests whose name contains this")
  .option("--keep", "leave the last cluster up; stop at the first failed test")
  .option(
    "--vm",
    `with nodes of ${VIRTUAL_NODE_MIB} MiB that are virtual machines; faults that reach into a node from outside fail`,
  )
  .option("--attach", "run on the cluster that is up, with what is installed there, and leave it up")
  .action(commandTest);
program
  .command("chaos")
  .description("moves under random faults, judged by a witness; a seed repeats its schedule")
  .addOption(withVersion())
  .option("--seed <number>", "the first seed", wholeNumber, 1)
  .option("--seeds <number>", "how many seeds, one after the other", wholeNumber, 1)
  .option("--moves <number>", "moves of each seed", wholeNumber, 5)
  .option("--faults <id,…>", "only these; `list` prints them all")
  .option("--results <file>", "add a line of JSON for each seed; the summary counts those that are there already")
  .option("--stop", "end with the first seed that finds something")
  .action(commandChaos);
program
  .command("up")
  .description("bring the cluster up and leave it up; prints its environment")
  .addOption(withVersion())
  .option("--nodes <MiB,…>", "memory of each worker node", "2048,2048")
  .option("--vm-nodes <number>", "virtual machines of 3 GiB in place of the nodes made of namespaces", wholeNumber)
  .option("--runtime-request-timeout <duration>", "the kubelets' limit for creating a container")
  .action(commandUp);
program
  .command("install")
  .description(
    "build the operator's image from this checkout and install it on the running cluster with Helm; again: upgrade it",
  )
  .argument("[values]", "chart values as JSON", "{}")
  .action(async (values: string) => {
    const cluster = await current();
    await importOperatorImages(cluster, say);
    const api = await Api.open(cluster.kubeconfig);
    await installHeadroom(cluster, api, JSON.parse(values)).finally(() => api.close());
  });
program
  .command("down")
  .description("take the cluster down, also what a killed run left")
  .action(() => down(settings, say));
program
  .command("env")
  .description("print KUBECONFIG, PATH and INFLUXDB_* of the running cluster, for eval")
  .action(async () => console.log(environmentOf(await current()).join("\n")));
program
  .command("node")
  .description("run a command (or a shell) inside a node")
  .argument("<name>")
  .argument("[command...]")
  .passThroughOptions()
  .action(commandNode);
try {
  await program.parseAsync();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

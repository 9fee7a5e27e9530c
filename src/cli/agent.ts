/** `headroom agent`: the node's side of moves; a pod of the chart's DaemonSet on every node. */
import { type Command, Option } from "commander";
import { readRuntime } from "../agent/containerd/handler.ts";
import { hostOf, startAgent } from "../agent/run.ts";
import { uninstallAgent } from "../agent/uninstall.ts";
import { type AgentConfig, agentSettings, readAgentConfig } from "../config/agent-config.ts";
import { readSettings, type Setting } from "../config/settings.ts";
import { resolveFormat, winstonLogger } from "../logging/winston-logger.ts";
import { endOnLostFailures } from "./lost-failures.ts";
import { hasColour } from "./terminal.ts";

export function addAgentCommand(program: Command): void {
  const command = program
    .command("agent")
    .description("run the agent of this node: dumps, restores and releases containers")
    .enablePositionalOptions();
  for (const setting of Object.values(agentSettings)) addSetting(command, setting);
  command.action(async (flags: Record<string, unknown>) => {
    await runAgent(readAgentConfig({ flags, env: process.env }), program.version() ?? "unknown");
  });
  addUninstall(command);
}

function addUninstall(agent: Command): void {
  const command = agent
    .command("uninstall")
    .description("take Headroom off this node: containerd's configuration is as it was before; no file is left")
    .option("--keep-handler", "keep the runtime handler, as a pass-through to runc", false);
  addSetting(command, agentSettings.host);
  command.action(async (flags: Record<string, unknown>) => {
    const { host } = readSettings({ host: agentSettings.host }, { flags, env: process.env });
    const options = { keepHandler: flags.keepHandler === true, say: (line: string) => console.log(line) };
    const node = hostOf({ host });
    await uninstallAgent({ ...node, runtime: await readRuntime(node) }, options);
  });
}

function addSetting(command: Command, { flag, env, description }: Setting<unknown>): void {
  if (flag) command.addOption(new Option(flag, `${description} (environment: ${env})`));
}

async function runAgent(config: AgentConfig, version: string): Promise<void> {
  const isTerminal = process.stderr.isTTY === true;
  const logger = winstonLogger({
    level: config.logLevel,
    format: resolveFormat(config.logFormat, isTerminal),
    colour: hasColour(process.stderr),
  });
  endOnLostFailures(logger);
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
  const agent = await startAgent({ config, version, logger });
  await stopped;
  await agent.stop();
}

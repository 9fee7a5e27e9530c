/** `headroom agent`: the node's side of moves; a pod of the chart's DaemonSet on every node. */
import { type Command, Option } from "commander";
import { startAgent } from "../agent/run.ts";
import { type AgentConfig, agentSettings, readAgentConfig } from "../config/agent-config.ts";
import type { Setting } from "../config/settings.ts";
import { resolveFormat, winstonLogger } from "../logging/winston-logger.ts";
import { hasColour } from "./terminal.ts";

export function addAgentCommand(program: Command): void {
  const command = program
    .command("agent")
    .description("run the agent of this node: dumps, restores and releases containers");
  for (const setting of Object.values(agentSettings)) addSetting(command, setting);
  command.action(async (flags: Record<string, unknown>) => {
    await runAgent(readAgentConfig({ flags, env: process.env }), program.version() ?? "unknown");
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
  const agent = await startAgent({ config, version, logger, handler: async () => ({ installed: true }) });
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
  await agent.stop();
}

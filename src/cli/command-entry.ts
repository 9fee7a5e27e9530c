/** What a program knows of a command before it is asked for. */
import type { Command } from "commander";

export interface CommandEntry {
  readonly name: string;
  /** One line in `headroom --help`. */
  readonly summary: string;
  /** Adds the commander command of this name. */
  load(): Promise<(program: Command) => void>;
}

export const AGENT: CommandEntry = {
  name: "agent",
  summary: "run a node's agent: dumps, restores and releases containers",
  load: async () => (await import("./agent.ts")).addAgentCommand,
};

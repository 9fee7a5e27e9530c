/** The name and summary of a command, which are known without loading it. */
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

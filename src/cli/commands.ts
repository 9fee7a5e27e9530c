/** The commands: one file each, loaded only when asked for, so that `headroom --help` is quick. */
import { AGENT, type CommandEntry } from "./command-entry.ts";

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "controller",
    summary: "run the controller: evaluates policies and carries out moves",
    load: async () => (await import("./controller.ts")).addControllerCommand,
  },
  AGENT,
  {
    name: "plan",
    summary: "show what would be moved where, and why not otherwise",
    load: async () => (await import("./plan.ts")).addPlanCommand,
  },
  {
    name: "simulate",
    summary: "show what policies would have done to a cluster, on recorded or generated memory",
    load: async () => (await import("./simulate.ts")).addSimulateCommand,
  },
  {
    name: "move",
    summary: "move a pod to another node, with its memory",
    load: async () => (await import("./move.ts")).addMoveCommand,
  },
  {
    name: "check",
    summary: "show whether pods could be moved, and what would have to change",
    load: async () => (await import("./check.ts")).addCheckCommand,
  },
  {
    name: "cancel",
    summary: "cancel a move that is not committed yet",
    load: async () => (await import("./cancel.ts")).addCancelCommand,
  },
  {
    name: "top",
    summary: "show the memory of nodes and pods",
    load: async () => (await import("./top.ts")).addTopCommand,
  },
  {
    name: "nodes",
    summary: "show what each node can do, and what is wrong with it",
    load: async () => (await import("./nodes.ts")).addNodesCommand,
  },
  {
    name: "demo",
    summary: "show the same workload without and with Headroom, on simulated nodes",
    load: async () => (await import("./demo.ts")).addDemoCommand,
  },
  {
    name: "uninstall",
    summary: "remove Headroom's traces from nodes and cluster (run by the chart)",
    load: async () => (await import("./uninstall.ts")).addUninstallCommand,
  },
  {
    name: "completion",
    summary: "print a completion script for bash, zsh or fish",
    load: async () => (await import("./completion.ts")).addCompletionCommand,
  },
];

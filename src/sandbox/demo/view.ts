/** How the demo looks: pure functions from what is to lines of text. */
import type { ChalkInstance } from "chalk";
import type { SimulatedNode } from "../nodes/node.ts";
import { type Entry, seconds } from "./journal.ts";
import { memberOf } from "./workload.ts";

export interface PodView {
  name: string;
  bytes: number;
  state: string;
}

export interface NodeView {
  name: string;
  usedBytes: number;
  capacityBytes: number;
  pods: PodView[];
}

export interface Frame {
  title: string;
  elapsedMs: number;
  nodes: NodeView[];
  journal: readonly Entry[];
  /** `kubectl get podmigrations`, line by line. */
  table: readonly string[];
}

const BAR = 30;
const JOURNAL_LINES = 16;
const GI = 2 ** 30;

export function nodeView(node: SimulatedNode): NodeView {
  const pods = [...node.containers.values()].filter(({ exit }) => !exit);
  return {
    name: node.name,
    usedBytes: node.usedBytes,
    capacityBytes: node.capacityBytes,
    pods: pods
      .filter(({ pod }) => pod.metadata.namespace === "default")
      .map(({ pod, process }) => ({
        name: memberOf(pod.metadata.name),
        bytes: process.memoryBytes,
        state: process.state,
      }))
      .sort((a, b) => a.name.localeCompare(b.name)),
  };
}

/** At most so many lines as fit: of the journal the newest. */
export function frameLines(frame: Frame, palette: ChalkInstance, size: { width: number; height: number }): string[] {
  const { width, height } = size;
  const head = [`${palette.bold(frame.title)}  ${palette.dim(seconds(frame.elapsedMs))}`, ""];
  const nodes = [...frame.nodes.map((node) => nodeLine(node, palette)), ""];
  const table = frame.table.map((line) => cut(line, width));
  const tail = table.length > 0 ? ["", palette.dim("$ kubectl get podmigrations"), ...table] : [];
  const room = Math.min(JOURNAL_LINES, Math.max(1, height - head.length - nodes.length - tail.length - 1));
  const journal = frame.journal.flatMap((entry) => entryLines(entry, palette, width));
  return [...head, ...nodes, ...journal.slice(-room), ...tail];
}

export function nodeLine(node: NodeView, palette: ChalkInstance): string {
  const share = Math.min(1, node.usedBytes / node.capacityBytes);
  const full = Math.round(share * BAR);
  const colour = share > 0.9 ? palette.red : share > 0.8 ? palette.yellow : palette.green;
  const bar = colour("█".repeat(full)) + palette.dim("░".repeat(BAR - full));
  const figures = `${percent(share)} of ${gibibytes(node.capacityBytes)}`;
  return `${node.name}  ${bar}  ${figures}  ${node.pods.map((pod) => podText(pod, palette)).join("  ")}`;
}

function podText({ name, bytes, state }: PodView, palette: ChalkInstance): string {
  const text = `${name} ${(bytes / GI).toFixed(2)}`;
  return state === "running" ? text : palette.cyan(`${text} (${state})`);
}

export function entryLines(entry: Entry, palette: ChalkInstance, width: number): string[] {
  const colour = { bad: palette.red, good: palette.green, plain: (text: string) => text }[entry.tone];
  const time = seconds(entry.atMs).padStart(7);
  const [first = "", ...more] = wrapped(entry.text, Math.max(20, width - 10));
  return [`${palette.dim(time)}  ${colour(first)}`, ...more.map((line) => `         ${colour(line)}`)];
}

/** Broken at spaces. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = `  ${word}`;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

const cut = (line: string, width: number): string => (line.length > width ? `${line.slice(0, width - 1)}…` : line);
const percent = (share: number): string => `${Math.round(share * 100)} %`.padStart(5);
const gibibytes = (bytes: number): string => `${(bytes / GI).toFixed(1)} GiB`;

/** Columns as kubectl lays them out. */
export function kubectlTable(headers: string[], rows: string[][]): string[] {
  if (rows.length === 0) return [];
  const all = [headers.map((header) => header.toUpperCase()), ...rows];
  const widths = headers.map((_, i) => Math.max(...all.map((row) => (row[i] ?? "").length)));
  return all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("   ")
      .trimEnd(),
  );
}

/** Reads a stage of a Dockerfile: just the instructions that the tests can carry out. Any other is an error. */

export interface CopyInstruction {
  /** The stage it copies from; undefined: the build context. */
  from: string | undefined;
  sources: string[];
  /** Absolute. A trailing slash is kept: it says that this is a folder. */
  target: string;
}

export interface Stage {
  base: string;
  copies: CopyInstruction[];
  env: Record<string, string>;
  user: string | undefined;
  workingDirectory: string;
  entrypoint: string[] | undefined;
  command: string[] | undefined;
  labels: Record<string, string>;
  ports: string[];
}

type Interpreter = (stage: Stage, rest: string) => void;

const INTERPRETERS: Record<string, Interpreter> = {
  COPY: (stage, rest) => stage.copies.push(copyOf(stage, rest)),
  ENV: (stage, rest) => Object.assign(stage.env, pairs(rest)),
  LABEL: (stage, rest) => Object.assign(stage.labels, pairs(rest)),
  USER: (stage, rest) => {
    stage.user = rest;
  },
  WORKDIR: (stage, rest) => {
    stage.workingDirectory = absolute(stage, rest);
  },
  ENTRYPOINT: (stage, rest) => {
    stage.entrypoint = stringList(rest);
  },
  CMD: (stage, rest) => {
    stage.command = stringList(rest);
  },
  EXPOSE: (stage, rest) => stage.ports.push(...rest.split(/\s+/)),
};

/** The stage `FROM … AS name`. */
export function stageOf(dockerfile: string, name: string): Stage {
  const instructions = logicalLines(dockerfile);
  const start = instructions.findIndex((line) => new RegExp(`^FROM\\s.*\\sAS\\s+${name}$`, "i").test(line));
  const from = instructions[start];
  if (from === undefined) throw new Error(`the Dockerfile has no stage ${name}`);
  const own = instructions.slice(start + 1);
  const next = own.findIndex((line) => /^FROM\s/i.test(line));
  const stage = emptyStage(from.split(/\s+/)[1] ?? "");
  for (const line of next < 0 ? own : own.slice(0, next)) interpret(stage, line);
  return stage;
}

function emptyStage(base: string): Stage {
  return {
    base,
    copies: [],
    env: {},
    user: undefined,
    workingDirectory: "/",
    entrypoint: undefined,
    command: undefined,
    labels: {},
    ports: [],
  };
}

function logicalLines(text: string): string[] {
  const uncommented = text.split("\n").filter((line) => !/^\s*#/.test(line));
  return uncommented
    .join("\n")
    .replaceAll(/\\\s*\n/g, " ")
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}

function interpret(stage: Stage, line: string): void {
  const [, name = "", rest = ""] = /^(\S+)\s*(.*)$/.exec(line) ?? [];
  const interpreter = INTERPRETERS[name.toUpperCase()];
  if (!interpreter) throw new Error(`a stage of the Dockerfile has an instruction that is not understood: ${line}`);
  interpreter(stage, rest.trim());
}

function copyOf(stage: Stage, rest: string): CopyInstruction {
  const words = rest.split(/\s+/);
  const flags = words.filter((word) => word.startsWith("--"));
  const paths = words.filter((word) => !word.startsWith("--"));
  const unknown = flags.find((flag) => !flag.startsWith("--from="));
  if (unknown) throw new Error(`COPY with ${unknown} is not understood`);
  const target = paths.pop();
  if (!target || paths.length === 0) throw new Error(`COPY ${rest} is not understood`);
  return { from: flags[0]?.slice("--from=".length), sources: paths, target: absolute(stage, target) };
}

function absolute(stage: Stage, path: string): string {
  if (path.startsWith("/")) return path;
  const relative = path.replace(/^\.\//, "");
  return relative === "." ? `${stage.workingDirectory}/` : `${stage.workingDirectory.replace(/\/$/, "")}/${relative}`;
}

function pairs(text: string): Record<string, string> {
  const found = [...text.matchAll(/([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|\S*)/g)];
  const rest = found.reduce((left, match) => left.replace(match[0], ""), text).trim();
  if (rest || found.length === 0 || text.includes("$")) throw new Error(`not understood: ${text}`);
  return Object.fromEntries(found.map(([, key = "", value = ""]) => [key, value.replace(/^"(.*)"$/, "$1")]));
}

function stringList(text: string): string[] {
  const parsed: unknown = JSON.parse(text.startsWith("[") ? text : JSON.stringify(["/bin/sh", "-c", text]));
  if (!Array.isArray(parsed) || !parsed.every((entry) => typeof entry === "string")) {
    throw new Error(`not a list of strings: ${text}`);
  }
  return parsed;
}

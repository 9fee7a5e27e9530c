/** `headroom completion SHELL`: commands and their flags for bash, zsh and fish, read from the commands themselves. */
import { Argument, Command } from "commander";
import { COMMANDS } from "./commands.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

export interface CompletedCommand {
  name: string;
  summary: string;
  flags: { long: string; description: string; takesValue: boolean }[];
}

export function addCompletionCommand(program: Command): void {
  program
    .command("completion")
    .description("print a completion script: source <(headroom completion bash)")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .action(async (shell: Shell) => {
      process.stdout.write(completionScript(shell, await describeCommands()));
    });
}

export async function describeCommands(): Promise<CompletedCommand[]> {
  const program = new Command();
  for (const entry of COMMANDS) (await entry.load())(program);
  return program.commands.map((command) => ({
    name: command.name(),
    summary: COMMANDS.find((entry) => entry.name === command.name())?.summary ?? command.description(),
    flags: command.options.flatMap(({ long, description, flags }) =>
      long ? [{ long, description, takesValue: /[<[]/.test(flags) }] : [],
    ),
  }));
}

export function completionScript(shell: Shell, commands: readonly CompletedCommand[]): string {
  return { bash, zsh, fish }[shell](commands);
}

function bash(commands: readonly CompletedCommand[]): string {
  const cases = commands.map(({ name, flags }) => `    ${name}) words="${flags.map(({ long }) => long).join(" ")}" ;;`);
  return `_headroom() {
  local words
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${commands.map(({ name }) => name).join(" ")} --help --version"
  else
    case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    esac
    words="$words --help"
  fi
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _headroom headroom
`;
}

function zsh(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`);
  const cases = commands.map(({ name, flags }) => {
    const specs = flags.map(({ long, description, takesValue }) =>
      quote(`${long}[${description.replaceAll(/[[\]]/g, "")}]${takesValue ? ": :" : ""}`),
    );
    return `    ${name}) _arguments ${specs.join(" ")} '--help[show help]' '*: :' ;;`;
  });
  return `#compdef headroom
_headroom() {
  local -a commands
  commands=(
${names.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local name=$words[2]
  shift words
  (( CURRENT-- ))
  case $name in
${cases.join("\n")}
  esac
}
compdef _headroom headroom
`;
}

function fish(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ name, summary, flags }) => [
    `complete -c headroom -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`,
    ...flags.map(
      ({ long, description, takesValue }) =>
        `complete -c headroom -n '__fish_seen_subcommand_from ${name}' -l ${long.slice(2)}${takesValue ? " -r" : ""} -d ${quote(description)}`,
    ),
  ]);
  return `complete -c headroom -f\n${lines.join("\n")}\n`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "’")}'`;
}

import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands.ts";
import { completionScript, describeCommands } from "../../src/cli/completion.ts";

const PROGRAM = new URL("../../scripts/headroom.js", import.meta.url).pathname;
const EMPTY = mkdtempSync(join(tmpdir(), "headroom-cli-"));

function headroom(args: string[], env: Record<string, string> = {}, cwd = EMPTY) {
  const { PATH = "" } = process.env;
  const run = spawnSync(process.execPath, [PROGRAM, ...args], {
    cwd,
    env: { PATH, HOME: EMPTY, ...env },
    encoding: "utf8",
  });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

/** Processes take their time to start on a busy machine. */
describe("headroom", { timeout: 60_000 }, () => {
  test("--help lists every command and the exit codes, without colour", () => {
    const { code, out } = headroom(["--help"]);
    expect(code).toBe(0);
    for (const { name, summary } of COMMANDS)
      expect(out).toMatch(new RegExp(`^  ${name}\\b.*${summary.slice(0, 8)}`, "m"));
    expect(out).toContain("Exit codes:");
    expect(out).not.toContain("\u001b[");
  });

  test("--version says which", () => {
    expect(headroom(["--version"])).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  });

  test("every command has a help of its own", () => {
    for (const { name } of COMMANDS.slice(0, 3)) {
      const { code, out } = headroom([name, "--help"]);
      expect(code).toBe(0);
      expect(out).toContain(`headroom ${name}`);
    }
  });

  const WRONG: { args: string[]; env?: Record<string, string>; code: number; err: RegExp }[] = [
    { args: [], code: 0, err: /^$/ },
    { args: ["bogus"], code: 2, err: /unknown command 'bogus'/ },
    { args: ["move"], code: 2, err: /missing required argument 'pod'/ },
    { args: ["move", "p", "--nope"], code: 2, err: /unknown option '--nope'/ },
    { args: ["controller", "--http-port", "x"], code: 2, err: /^headroom: --http-port: must be a whole number.*\n$/ },
    { args: ["move", "p"], env: { KUBECONFIG: "/nowhere" }, code: 1, err: /^headroom: kubeconfig \/nowhere: .*\n$/ },
  ];

  test.each(WRONG)("$args ends with $code", ({ args, env, code, err }) => {
    const result = headroom(args, env);
    expect(result.err).toMatch(err);
    expect(result.code).toBe(code);
  });

  test("honours a .env file; what the environment says wins", () => {
    const folder = mkdtempSync(join(tmpdir(), "headroom-env-"));
    writeFileSync(join(folder, ".env"), "HTTP_PORT=from-file\nLOG_LEVEL=from-file\n");
    const { code, err } = headroom(["controller"], { LOG_LEVEL: "from-environment" }, folder);
    expect(code).toBe(2);
    expect(err).toContain('HTTP_PORT: must be a whole number from 0 to 65535, not "from-file"');
    expect(err).toContain('not "from-environment"');
  });
});

describe("completion", { timeout: 60_000 }, () => {
  test.each(["bash", "zsh", "fish"] as const)("of %s knows every command and its flags", async (shell) => {
    const commands = await describeCommands();
    const script = completionScript(shell, commands);
    for (const { name, flags } of commands) {
      expect(script).toContain(name);
      for (const { long } of flags) expect(script).toContain(long.slice(2));
    }
  });

  test("of bash completes", async () => {
    const script = completionScript("bash", await describeCommands());
    const ask = "COMP_WORDS=(headroom move --wa); COMP_CWORD=2; _headroom; echo $COMPREPLY";
    const run = spawnSync("bash", ["-c", `${script}\n${ask}`], { encoding: "utf8" });
    expect(run.stdout.trim()).toBe("--wait");
  });
});

/** Real processes that have what CRIU cannot carry. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { thisHost } from "../../../src/agent/host/host.ts";
import { processObstacles } from "../../../src/agent/host/process-obstacles.ts";
import { cureSockets, socketObstacles } from "../../../src/agent/host/sockets.ts";
import { until } from "../../support/until.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A program that says that it is ready. */
async function ready(...argv: [string, ...string[]]): Promise<number> {
  const [file, ...args] = argv;
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout ?? child, "data");
  return child.pid ?? 0;
}

const works = (file: string, ...args: string[]): boolean => spawnSync(file, args).status === 0;
const reasonsOf = (pid: number, init?: number) => processObstacles(pid, init).map(({ reason }) => reason);

test("a process that was stopped by a signal is an obstacle until it goes on", async () => {
  const child = spawn("sleep", ["60"]);
  children.push(child);
  const pid = child.pid ?? 0;
  expect(reasonsOf(pid)).toEqual([]);
  child.kill("SIGSTOP");
  await until(() => reasonsOf(pid).includes("StoppedProcess"), "it is stopped");
  child.kill("SIGCONT");
  await until(() => reasonsOf(pid).length === 0, "it goes on");
});

const canUnshare = works("unshare", "--user", "true");
test.skipIf(!canUnshare)("a user namespace of its own is one, a process of the container's is none", async () => {
  const own = await ready("unshare", "--user", "sh", "-c", "echo; read line");
  const other = await ready("sh", "-c", "echo; read line");
  const told = processObstacles(own, other);
  expect(told.map(({ reason }) => reason)).toEqual(["Namespaces"]);
  expect(told[0]?.message).toMatch(/^process \d+ has a user namespace of its own$/);
  expect([reasonsOf(own), reasonsOf(other, process.pid)]).toEqual([[], []]);
});

/** Copying another process's descriptors takes root, as the agent has. */
const canLook = works("perl", "-e", "exit($> != 0 || syscall(434, $$ + 0, 0) < 0)");
describe.skipIf(!canLook)("sockets", () => {
  const group = { host: thisHost(), procs: [] };
  const open = (...socket: number[]) => `socket(my $s${socket.join("")}, ${socket.join(", ")}) or exit 1;`;
  const perl = (script: string) => ["perl", "-e", `$| = 1; ${script} print "\\n"; readline(STDIN)`] as const;

  test("that CRIU carries are none", async () => {
    const [file, ...args] = perl(
      [open(2, 1, 6), open(2, 2, 17), open(10, 2, 17), open(1, 1, 0), open(16, 3, 0)].join(""),
    );
    const pid = await ready(file, ...args);
    expect(await socketObstacles(group, [pid, 4_194_305])).toEqual([]);
    expect(await socketObstacles(group, [])).toEqual([]);
  });

  /** A connection to itself, with one end in repair mode. Told to send, it prints "came" when the byte has arrived. */
  const IN_REPAIR = `use Socket; use IO::Handle; $| = 1;
    my ($l, $a, $b);
    socket($l, 2, 1, 6) and bind($l, pack_sockaddr_in(0, INADDR_LOOPBACK)) and listen($l, 1) or exit 1;
    socket($a, 2, 1, 6) and connect($a, getsockname($l)) and accept($b, $l) or exit 1;
    setsockopt($a, 6, 19, pack("i", 1)) or exit 1;`;
  const SEND = `print "\\n"; readline(STDIN); syswrite($a, "x"); my $in = ""; vec($in, fileno($b), 1) = 1;
    print select($in, undef, undef, 2) ? "came\\n" : "lost\\n";`;

  test.skipIf(!works("perl", "-e", IN_REPAIR))(
    "that were left in repair mode send again once they are cured",
    async () => {
      const said = async (cured: boolean): Promise<string> => {
        const pid = await ready("perl", "-e", IN_REPAIR + SEND);
        if (cured) await cureSockets(group, [pid]);
        const child = children.at(-1);
        child?.stdin?.write("\n");
        const [line] = await once(child?.stdout ?? expect.fail(), "data");
        return String(line);
      };
      expect([await said(true), await said(false)]).toEqual(["came\n", "lost\n"]);
    },
  );

  test.each([
    ["MPTCP", open(2, 1, 262), /: MPTCP \(.*GODEBUG=multipathtcp=0\)$/],
    ["vsock", open(40, 1, 0), /: vsock$/],
    ["corked UDP", `${open(2, 2, 17)} setsockopt($s2217, 17, 1, 1) or exit 1;`, /: corked UDP$/],
  ])("of kind %s are told, with what helps", async (_kind, script, message) => {
    const [file, ...args] = perl(script);
    if (!works("perl", "-e", script)) return; // this kernel has none of them
    const [told, ...more] = await socketObstacles(group, [await ready(file, ...args)]);
    expect(told?.reason).toBe("Socket");
    expect(told?.message).toMatch(message);
    expect(more).toEqual([]);
  });
});

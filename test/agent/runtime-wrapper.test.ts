import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../support/until.ts";

const WRAPPER = new URL("../../src/agent/runtime-wrapper/headroom-runc.sh", import.meta.url).pathname;
const POD = "5f0e1111-6f0e-4f7c-9f5b-0123456789ab";
const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";

/** Shells that nodes have as /bin/sh. */
const SHELLS = [["dash"], ["busybox", "sh"], ["bash", "--posix"]].filter(([file]) => {
  try {
    execFileSync("/bin/sh", ["-c", `command -v ${file}`]);
    return true;
  } catch {
    return false;
  }
});

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "wrapper-"));
  mkdirSync(join(root, "bundle"));
  bundle({});
  writeFileSync(
    join(root, "runc"),
    `#!/bin/sh\nprintf '%s\\n' "$*" >>"${root}/calls"\n[ -z "$CRIU_CONFIG_FILE" ] || echo "config $CRIU_CONFIG_FILE" >>"${root}/calls"\necho "$PATH" >"${root}/path"\nexit \${RUNC_CODE:-0}\n`,
    { mode: 0o755 },
  );
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function bundle(annotations: Record<string, string | undefined>, env: string[] = []): void {
  const all = {
    "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.container-name": "app",
    "io.kubernetes.cri.sandbox-uid": POD,
    ...annotations,
  };
  writeFileSync(join(root, "bundle", "config.json"), JSON.stringify({ process: { env }, annotations: all, linux: {} }));
}

function registered(options: { container?: string; move?: string } = {}): string {
  const directory = join(root, "state", "targets", POD);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "move"), `${options.move ?? MOVE}\n`);
  writeFileSync(join(directory, "container"), `${options.container ?? "app"}\n`);
  mkdirSync(join(root, "run", "target", MOVE, "waiting"), { recursive: true });
  writeFileSync(move("files-for"), "w1\n");
  return directory;
}

interface Ended {
  code: number | null;
  said: string;
}

function start(shell: readonly string[], args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const [file = "sh", ...rest] = shell;
  const child = spawn(file, [...rest, WRAPPER, ...args], {
    env: {
      PATH: process.env.PATH,
      HEADROOM_STATE: join(root, "state"),
      HEADROOM_RUN: join(root, "run"),
      HEADROOM_RUNC: join(root, "runc"),
      HEADROOM_WAIT_SECONDS: "20",
      ...env,
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said = text(child.stderr);
  return new Promise((resolve) => child.once("close", async (code) => resolve({ code, said: await said })));
}

const create = () => [
  "--root",
  "/r",
  "--log",
  join(root, "log.json"),
  "create",
  "--bundle",
  join(root, "bundle"),
  "--pid-file",
  "/p",
  "w1",
];
const calls = () =>
  existsSync(join(root, "calls")) ? readFileSync(join(root, "calls"), "utf8").trim().split("\n") : [];
const move = (name: string) => join(root, "run", "target", MOVE, name);

/** Gives the word once the wrapper waits. */
async function tell(word: string): Promise<void> {
  const fifo = move("waiting/w1");
  await until(() => existsSync(fifo), "create to wait");
  execFileSync("/bin/sh", ["-c", `echo '${word}' >'${fifo}'`]);
}

describe.each(SHELLS.map((shell) => [shell.join(" "), shell] as const))(
  "the runtime wrapper under %s",
  (_name, shell) => {
    const passed = async (args: string[], env = {}) => {
      const { code } = await start(shell, args, env);
      expect(calls()).toEqual([args.join(" ")]);
      return code;
    };

    test.each([["delete"], ["state"], ["kill"], ["--version"], ["features"]])(
      "passes %s to runc untouched",
      async (verb) => {
        registered();
        await passed(["--root", "/r", verb, "w1"]);
      },
    );

    test("starts the runc that the agent has named, and without a name the one in its PATH", async () => {
      mkdirSync(join(root, "state", "bin"), { recursive: true });
      writeFileSync(join(root, "state", "bin", "runc-path"), `${join(root, "runc")}\n`);
      await passed(["state", "w1"], { HEADROOM_RUNC: "" });
      rmSync(join(root, "calls"));
      rmSync(join(root, "state", "bin", "runc-path"));
      await passed(["state", "w1"], { HEADROOM_RUNC: "", PATH: `${root}:${process.env.PATH}` });
    });

    test.each([
      ["does not say which pod it is of", () => bundle({ "io.kubernetes.cri.sandbox-uid": undefined })],
      ["can't be read", () => rmSync(join(root, "bundle", "config.json"))],
    ])("a container whose bundle %s is not started while moves to the node are under way", async (_what, make) => {
      registered();
      make();
      const { code, said } = await start(shell, create());
      expect([code, calls()]).toEqual([1, []]);
      expect(said).toMatch(/does not name the pod; is containerd older than 1\.6\.11/);
    });

    test.each<[string, () => void]>([
      ["were copied into another container", () => writeFileSync(move("files-for"), "c0\n")],
      ["were copied into none", () => rmSync(move("files-for"))],
    ])("a container is not restored when the move's files %s", async (_case, damage) => {
      const directory = registered();
      damage();
      const ended = start(shell, create());
      await tell("restore");
      expect(await ended).toMatchObject({
        code: 1,
        said: expect.stringContaining("files of the move were not copied"),
      });
      expect(calls()).toEqual([]);
      expect([existsSync(move("restore.pid")), existsSync(join(directory, "claimed"))]).toEqual([false, false]);
    });

    test("a restore that another create has begun is not begun again, however far that one came", async () => {
      const directory = registered();
      writeFileSync(move("restore.pid"), "1 c0\n");
      const ended = start(shell, create());
      await tell("restore");
      expect((await ended).said).toMatch(/restored before/);
      expect(calls()).toEqual([]);
      expect(readFileSync(move("restore.pid"), "utf8")).toBe("1 c0\n");
      expect(existsSync(join(directory, "claimed"))).toBe(false);
    });

    test("passes on runc's exit code", async () => {
      expect(await passed(["--root", "/r", "state", "w1"], { RUNC_CODE: "3" })).toBe(3);
    });

    test("a global option's value is not taken for the verb", async () => {
      registered();
      await passed(["--root", "create", "--log", "start", "state", "w1"]);
    });

    test("creates as runc does while no pod is registered", async () => {
      await passed(create());
    });

    test("creates another pod's container as runc does, even when a registration is damaged", async () => {
      const directory = registered();
      rmSync(join(directory, "move"));
      bundle({ "io.kubernetes.cri.sandbox-uid": "99999999-6f0e-4f7c-9f5b-0123456789ab" });
      await passed(create());
    });

    test("a user can't name a registered pod by a text in an environment variable", async () => {
      registered();
      const lie = `{"io.kubernetes.cri.sandbox-uid":"${POD}"}`;
      bundle({ "io.kubernetes.cri.sandbox-uid": "99999999-6f0e-4f7c-9f5b-0123456789ab" }, [
        `X=${lie}`,
        `Y=,"io.kubernetes.cri.sandbox-uid":"${POD}",`,
      ]);
      await passed(create());
    });

    test("creates the registered pod's sandbox as runc does", async () => {
      registered();
      bundle({ "io.kubernetes.cri.container-type": "sandbox" });
      await passed(create());
    });

    test("waits, then restores in place of creating", async () => {
      registered();
      writeFileSync(move("lazy"), "");
      const ended = start(shell, create());
      await tell("restore");
      expect((await ended).code).toBe(0);
      const options = `restore --detach --file-locks --tcp-established --lazy-pages --image-path ${move("staging/images")} --work-path ${move("staging/work")}`;
      expect(calls()).toEqual([
        `--root /r --log ${join(root, "log.json")} ${options} --bundle ${join(root, "bundle")} --pid-file /p w1`,
        `config ${move("criu.conf")}`,
      ]);
      expect(readFileSync(move("restore.exit"), "utf8").trim()).toBe("0");
      expect(readdirSync(move("waiting"))).toEqual([]);
    });

    test.each([
      ["the move's own CRIU", "/var/lib/headroom/criu/1/bin\n", `/var/lib/headroom/criu/1/bin:${process.env.PATH}`],
      ["the node's when the move has none", undefined, process.env.PATH],
    ])("has runc find %s", async (_which, note, path) => {
      registered();
      if (note !== undefined) writeFileSync(move("criu"), note);
      const ended = start(shell, create());
      await tell("restore");
      expect((await ended).code).toBe(0);
      expect(readFileSync(join(root, "path"), "utf8").trim()).toBe(path);
    });

    test("the bundle tells CRIU to leave the restored tasks in the target's own groups", async () => {
      registered();
      writeFileSync(move("criu.conf"), "leave-stopped\n");
      const env = ['X="annotations":{"a":"b"}', '{"annotations":{}}'];
      bundle({}, env);
      const ended = start(shell, create());
      await tell("restore");
      expect((await ended).code).toBe(0);
      const written = JSON.parse(readFileSync(join(root, "bundle", "config.json"), "utf8"));
      expect(written.annotations).toMatchObject({
        "org.criu.config": move("criu.conf"),
        "io.kubernetes.cri.sandbox-uid": POD,
      });
      expect(written.process.env).toEqual(env);
      expect(readFileSync(move("criu.conf"), "utf8")).toBe("leave-stopped\nmanage-cgroups=ignore\n");
    });

    test("start of a restored container does nothing, once; of any other it is runc's", async () => {
      mkdirSync(join(root, "run", "restored"), { recursive: true });
      writeFileSync(join(root, "run", "restored", "w1"), "");
      expect((await start(shell, ["--root", "/r", "start", "w1"])).code).toBe(0);
      expect(calls()).toEqual([]);
      await passed(["--root", "/r", "start", "w1"]);
    });

    test("a failed restore fails create, with its code, and is not tried again", async () => {
      registered();
      const ended = start(shell, create(), { RUNC_CODE: "7" });
      await tell("restore");
      expect((await ended).code).toBe(7);
      expect(readFileSync(move("restore.exit"), "utf8").trim()).toBe("7");
      expect(existsSync(join(root, "run", "restored", "w1"))).toBe(false);
      const again = await start(shell, create());
      expect(again).toMatchObject({ code: 1, said: expect.stringContaining("restored before") });
      expect(calls()).toHaveLength(2);
    });

    test.each<[string, (directory: string) => void, RegExp]>([
      ["the move was rolled back", (directory) => writeFileSync(join(directory, "aborted"), ""), /rolled back/],
      ["it was restored before", (directory) => mkdirSync(join(directory, "claimed")), /restored before/],
      ["the move's name is missing", (directory) => rmSync(join(directory, "move")), /damaged/],
      ["the move's name is damaged", (directory) => writeFileSync(join(directory, "move"), "../../etc\n"), /damaged/],
      ["the move's name is empty", (directory) => writeFileSync(join(directory, "move"), ""), /damaged/],
      ["the container's name is missing", (directory) => rmSync(join(directory, "container")), /damaged/],
      [
        "another container was registered",
        (directory) => writeFileSync(join(directory, "container"), "other\n"),
        /only container other/,
      ],
      ["the node was restarted", () => rmSync(join(root, "run"), { recursive: true }), /was the node restarted/],
      [
        "the registration is no folder",
        (directory) => {
          rmSync(directory, { recursive: true });
          writeFileSync(directory, "");
        },
        /damaged/,
      ],
    ])("never starts cold: fails when %s", async (_case, damage, message) => {
      damage(registered());
      const { code, said } = await start(shell, create());
      expect(code).toBe(1);
      expect(said).toMatch(message);
      expect(calls()).toEqual([]);
      const logged: unknown = JSON.parse(readFileSync(join(root, "log.json"), "utf8"));
      expect(logged).toMatchObject({ level: "error", msg: expect.stringMatching(message) });
    });

    test("fails when no checkpoint comes in time", async () => {
      registered();
      const { code, said } = await start(shell, create(), { HEADROOM_WAIT_SECONDS: "0.1" });
      expect([code, calls()]).toEqual([1, []]);
      expect(said).toMatch(/no checkpoint arrived within 0.1 seconds/);
    });

    test("fails when the move is given up while it waits", async () => {
      registered();
      const ended = start(shell, create());
      await tell("rolled back");
      expect(await ended).toMatchObject({ code: 1, said: expect.stringContaining("given up: rolled back") });
      expect(calls()).toEqual([]);
    });

    test("a rollback that comes with the word to restore wins", async () => {
      const directory = registered();
      const ended = start(shell, create());
      await until(() => existsSync(move("waiting/w1")), "create to wait");
      writeFileSync(join(directory, "aborted"), "");
      await tell("restore");
      expect(await ended).toMatchObject({ code: 1, said: expect.stringContaining("rolled back") });
      expect(calls()).toEqual([]);
    });

    test("after the release a restart is an ordinary create", async () => {
      const directory = registered();
      mkdirSync(join(directory, "claimed"));
      writeFileSync(join(directory, "released"), "");
      await passed(create());
    });
  },
);

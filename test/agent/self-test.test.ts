/** The node's self-test with a script in place of runc: the commands it runs, the results it stores, and that it cleans up. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Lsm } from "../../src/agent/host/confinement.ts";
import type { Host } from "../../src/agent/host/host.ts";
import type { Kind } from "../../src/agent/protocol.ts";
import { kindsOfProcess, kindsToTry } from "../../src/agent/self-test/kinds.ts";
import { knownVerdicts, proveNode } from "../../src/agent/self-test/self-test.ts";

const BIN = "/var/lib/headroom/criu/1/bin";
let root: string;
let host: Host;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "self-test-"));
  host = {
    path: (path) => join(root, path),
    command: ([file = "", ...args]) => ({ file, args: args.map(inRoot) }),
    environment: () => ({ PATH: `${join(root, "bin")}:${process.env.PATH}` }),
  };
  write("/var/lib/headroom/criu/1/lib/ld-linux-x86-64.so.2", "");
  runc(":");
  criu({ tracksChanges: false });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const inRoot = (word: string): string => word.replaceAll(/(?<![\w.])\/(run|var)\/(?=\w)/g, `${root}/$1/`);

function write(path: string, content: string): void {
  mkdirSync(dirname(host.path(path)), { recursive: true });
  writeFileSync(host.path(path), content);
  if (content.startsWith("#!")) chmodSync(host.path(path), 0o755);
}

/** Replaces criu: it says what the kernel can do, and serves memory. */
function criu({ tracksChanges }: { tracksChanges: boolean }): void {
  const answer = tracksChanges ? "echo is supported" : "exit 1";
  const ready = `${root}/run/headroom/self-test/lazyPages/ready`;
  write("/bin/criu", `#!/bin/sh\ncase $1 in check) ${answer};; lazy-pages) echo 1 >${ready};; esac\n`);
}

/**
 * Replaces runc: records each command, then runs `script`, which may use $verb and $id and may fail. As with runc, a container that is run is
 * not its own program at once, and can't be dumped until it is.
 */
function runc(script: string): void {
  const verb = "for verb do case $verb in run|checkpoint|restore|state|delete) break;; esac; done; for id do :; done";
  const state = '[ $verb != state ] || echo \'{"status": "running"}\'';
  const folder = `s=${root}/run/headroom/self-test/$\{id#headroom-self-test-}/runc/$id`;
  const late = `sh -c 'sleep 0.1; exec sh -c "sleep 1; :" /libexec/sleep' >/dev/null 2>&1 </dev/null &`;
  const run = `[ $verb != run ] || { mkdir -p $s; ${late} echo "{\\"init_process_pid\\": $!}" >$s/state.json; }`;
  const pid = "$(tr -dc 0-9 <$s/state.json)";
  const dump = `[ $verb != checkpoint ] || tr '\\0' '\\n' </proc/${pid}/cmdline | grep -qx /libexec/sleep || exit 1`;
  const lines = ["#!/bin/sh", verb, `echo "$verb $id" >>${root}/asked`, folder, state, script, run, dump, ""];
  write("/bin/runc", lines.join("\n"));
}
const asked = (): string[] => {
  const lines = existsSync(join(root, "asked")) ? readFileSync(join(root, "asked"), "utf8").trim().split("\n") : [];
  return lines.map((line) => line.replace("headroom-self-test-", ""));
};
const prove = (fingerprint = "1", lsm: Lsm = "none") => proveNode(host, { bin: BIN, lsm, fingerprint });
const verdicts = async (fingerprint?: string) =>
  (await prove(fingerprint)).map(({ kind, ok, message }) => (ok ? kind : `${kind}: ${message}`));

describe("the self-test", () => {
  test("runs, dumps, restores and removes a container of each kind, and leaves nothing", async () => {
    expect(await verdicts()).toEqual(["root", "user", "seccomp", "lazyPages"]);
    const steps = ["run", "checkpoint", "restore", "state", "delete"];
    expect(asked()).toEqual(
      ["root", "user", "seccomp", "lazyPages"].flatMap((kind) => steps.map((step) => `${step} ${kind}`)),
    );
    expect(existsSync(host.path("/run/headroom/self-test"))).toBe(false);
  });

  test("tries AppArmor, with a profile of its own that is unloaded again, where that confines containers", async () => {
    write("/bin/apparmor_parser", `#!/bin/sh\necho "$1 $(head -c 26 $3)" >>${root}/asked\n`);
    expect((await prove("1", "apparmor")).map(({ kind }) => kind)).toContain("apparmor");
    const profile = asked().filter((line) => line.includes("profile"));
    expect(profile).toEqual(["--replace profile headroom-self-test", "--remove profile headroom-self-test"]);
  });

  test.each([
    ["what has changed", 100, "dirtyTracking"],
    [
      "everything",
      4096,
      "dirtyTracking: its second round held 4096 of 4096 bytes, as if all of its memory had changed",
    ],
  ])("dumps in rounds where the kernel tracks changes, the second of which holds %s", async (_what, bytes, verdict) => {
    criu({ tracksChanges: true });
    const folder = `${root}/run/headroom/self-test/dirtyTracking`;
    const pages = (round: number, size: number) => `head -c ${size} /dev/zero >${folder}/round-${round}/pages-1.img`;
    const rounds = `case "$*" in *--parent-path*round-1*) ${pages(2, bytes)};; *--pre-dump*) ${pages(1, 4096)};; esac`;
    runc(`[ "$verb $id" != "checkpoint headroom-self-test-dirtyTracking" ] || ${rounds}`);
    expect(await verdicts()).toEqual(["root", "user", "seccomp", verdict, "lazyPages"]);
  });

  test.each([
    ["run", "it could not be run: no such thing"],
    ["checkpoint", "it could not be dumped: no such thing"],
    ["restore", "it could not be restored: no such thing"],
  ])("says why when runc cannot %s, takes the container away, and tries the other kinds", async (step, message) => {
    const log = `echo 'time="t" level=error msg="no such thing"' >${root}/run/headroom/self-test/user/runc.log`;
    runc(`[ "$verb $id" != "${step} headroom-self-test-user" ] || { ${log}; exit 1; }`);
    expect(await verdicts()).toEqual(["root", `user: ${message}`, "seccomp", "lazyPages"]);
    expect(
      asked()
        .filter((line) => line.endsWith(" user"))
        .at(-1),
    ).toBe("delete user");
  });

  test("is not repeated while nothing changes, but when something does or after a failure", async () => {
    await prove("1");
    const once = asked().length;
    await prove("1");
    expect(asked()).toHaveLength(once);
    await prove("2");
    expect(asked()).toHaveLength(2 * once);
    runc("exit 1");
    await prove("3");
    expect(knownVerdicts(host)?.every(({ ok }) => !ok)).toBe(true);
    runc(":");
    expect(await verdicts("3")).toEqual(["root", "user", "seccomp", "lazyPages"]);
  });

  test("takes away what an agent that died in the middle has left", async () => {
    write("/run/headroom/self-test/root/config.json", "");
    await prove();
    expect(asked()[0]).toBe("delete root");
  });

  test("is done again when what was remembered cannot be read", async () => {
    write("/var/lib/headroom/self-test.json", "{");
    expect(knownVerdicts(host)).toBeUndefined();
    expect(await verdicts()).toHaveLength(4);
  });
});

describe("a process", () => {
  test("is of the kinds that its status tells", () => {
    const kinds: Kind[] = kindsOfProcess(process.pid);
    expect(kinds).toContain(process.getuid?.() === 0 ? "root" : "user");
  });

  test("of another user than root has no capabilities in its trial", () => {
    const user = kindsToTry({ apparmor: false, tracksChanges: false }).find(({ kind }) => kind === "user")?.options;
    expect(user).toMatchObject({ capabilities: [], noNewPrivileges: true });
    expect(user?.uid).toBeGreaterThan(0);
  });
});

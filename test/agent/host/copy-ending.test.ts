/** How a restore, or the copy that it has made, ends: with real processes, which carry the words of runc and of the wrapper. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { forgetCopy } from "../../../src/agent/host/copy-ending.ts";
import { isAlive } from "../../../src/agent/host/detached.ts";
import type { Host } from "../../../src/agent/host/host.ts";
import { startMarkOf, targetMoveOf } from "../../../src/agent/host/layout.ts";
import { processesWith } from "../../../src/agent/host/processes.ts";
import { abort } from "../../../src/agent/host/restore.ts";
import { type NodeFolder, nodeFolder } from "../../support/agent/node-folder.ts";
import { until } from "../../support/until.ts";

const POD = "5f0e1111-6f0e-4f7c-9f5b-0123456789ab";
const MOVE = "0b9d5a52-6f0e-4f7c-9f5b-0123456789ab";
const command = { moveUID: MOVE, epoch: 1, podUID: POD };
const move = targetMoveOf(MOVE);

let root: string;
let host: Host;
let write: NodeFolder["write"];
const others: ChildProcess[] = [];

beforeEach(() => {
  ({ root, host, write } = nodeFolder());
});
afterEach(() => {
  for (const other of others.splice(0)) other.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

describe("a restore that is aborted", () => {
  // argv as the shim's and the wrapper's: the words "create" or "restore", and the container.
  const CREATE = ["create", "c-aborted"];
  const RESTORE = ["restore", "c-aborted"];
  const CRIU = "sleep 60 & echo $!; wait $!";

  /** The wrapper starts a runc, which runs `script`. Resolves once that has said its first line. */
  async function starts(script: string): Promise<{ wrapper: ChildProcess; said: () => string }> {
    const runc = `sh -c '${script}' ${RESTORE.join(" ")}; echo $? > ${host.path("/exit")}`;
    mkdirSync(host.path("/"), { recursive: true });
    const wrapper = spawn("/bin/sh", ["-c", runc, ...CREATE], { stdio: ["ignore", "pipe", "ignore"] });
    others.push(wrapper);
    let said = "";
    wrapper.stdout.on("data", (data: Buffer) => {
      said += data.toString();
    });
    await until(() => said !== "", "the restore to begin");
    write(move.restorePid, `${wrapper.pid} c-aborted\n`);
    write(startMarkOf("c-aborted"), "");
    return { wrapper, said: () => said };
  }

  test("loses its CRIU; runc undoes its work, and the wrapper tells how it ended", async () => {
    const { said } = await starts(`${CRIU}; echo undone; exit 3`);
    await abort(host, command);
    await until(() => said().includes("undone"), "runc to undo its work");
    expect(readFileSync(host.path("/exit"), "utf8")).toBe("3\n");
    expect(isAlive(Number(said().split("\n")[0]))).toBe(false);
    expect(existsSync(host.path(startMarkOf("c-aborted")))).toBe(false);
  });

  test("is ended as well when containerd has killed the wrapper alone", async () => {
    const { wrapper, said } = await starts(`${CRIU}; echo undone`);
    wrapper.kill("SIGKILL");
    await once(wrapper, "exit");
    await abort(host, command);
    await until(() => said().includes("undone"), "runc to undo its work");
    expect(processesWith(...RESTORE)).toEqual([]);
  });

  test("is killed when runc does not end", async () => {
    await starts("echo begun; while true; do sleep 1; done");
    await abort(host, command);
    expect([processesWith(...RESTORE), processesWith(...CREATE)]).toEqual([[], []]);
  });
});

describe("the folders of a copy that was ended", () => {
  const bundle = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/c1";
  const root = join(bundle, "rootfs");

  test.each([
    ["lose runc's mountpoints when containerd has unmounted the root already", "", ["etc"]],
    ["are left alone while the root is mounted", `1 2 0:3 / ${root} rw - overlay overlay rw\n`, ["dev", "etc", "sys"]],
  ])("%s", async (_what, mounts, left) => {
    write(move.restorePid, "4194305 c1\n");
    write("/proc/1/mountinfo", mounts);
    for (const empty of ["dev/console", "sys/fs/cgroup/memory/x"]) write(join(root, empty), "");
    write(join(root, "etc/kept"), "data");
    await abort(host, command);
    expect(readdirSync(host.path(root)).sort()).toEqual(left);
  });

  test.each([
    ["mounted still", true],
    ["not mounted", false],
  ])("go with runc's `delete`; criu-root is %s", async (_how, mounted) => {
    const ran: string[] = [];
    const criuRoot = "/run/containerd/runc/k8s.io/c1/criu-root";
    const noted = (argv: readonly string[]) => {
      ran.push(argv.join(" "));
      return { file: "true", args: [] };
    };
    host = { ...host, command: noted };
    write(move.restorePid, "4194305 c1\n");
    write(`${criuRoot}/file`, "");
    if (mounted) write("/proc/1/mountinfo", `1 2 0:3 / ${criuRoot} rw - overlay overlay rw\n`);
    await forgetCopy(host, MOVE);
    const unmounted = mounted ? [`umount -R -l ${criuRoot}`] : [];
    expect(ran).toEqual([...unmounted, "runc --root /run/containerd/runc/k8s.io delete --force c1"]);
  });

  test("are not asked for when runc does not know the container", async () => {
    const command = () => expect.unreachable();
    write(move.restorePid, "4194305 c1\n");
    await forgetCopy({ ...host, command }, MOVE);
  });
});

/** CPUs that threads are pinned to. */
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { maskOf, noteAffinity, restoreAffinity } from "../../../src/agent/host/affinity.ts";
import { nodeFolder } from "../../support/agent/node-folder.ts";

test.each([
  ["0", "0100000000000000"],
  ["0-1,9", "0302000000000000"],
  ["63-64", "00000000000000800100000000000000"],
])("the CPUs %s are the mask %s", (cpus, mask) => {
  expect(maskOf(cpus)).toBe(mask);
});

const PROGRAM = new URL("../../../src/agent/host/cpus.pl", import.meta.url).pathname;

test.skipIf(process.platform !== "linux" || availableParallelism() < 2)("travel with the images", async () => {
  const { root, host, write } = nodeFolder();
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  const pid = String(child.pid);
  const allowed = () => /^Cpus_allowed_list:\t(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";
  const pin = (cpus: string) => execFileSync("perl", [PROGRAM, pid, maskOf(cpus)]);
  const freezer = { version: 2 as const, group: "/sys/fs/cgroup/pod" };
  const container = {
    id: "c",
    pid: Number(pid),
    rootfs: "/",
    mounts: [],
    freezer,
    group: "/sys/fs/cgroup/pod",
    memoryGroup: "",
  };
  const run = (argv: readonly string[]) => ({ file: argv[0] ?? "true", args: argv.slice(1) });
  const group = { host: { ...host, command: run, environment: () => process.env }, procs: [] };
  try {
    const all = allowed();
    const [first = "0"] = all.split(/[-,]/);
    write("/sys/fs/cgroup/pod/cgroup.procs", `${pid}\n`);
    write("/sys/fs/cgroup/pod/cpuset.cpus.effective", `${all}\n`);
    write("/images/none", "");
    noteAffinity(host, container, host.path("/images"));
    await restoreAffinity(group, container, host.path("/images"));
    expect(allowed()).toBe(all);
    pin(first);
    noteAffinity(host, container, host.path("/images"));
    pin(all);
    expect(allowed()).toBe(all);
    await restoreAffinity(group, container, host.path("/images"));
    expect(allowed()).toBe(first);
  } finally {
    child.kill("SIGKILL");
    rmSync(root, { recursive: true, force: true });
  }
});

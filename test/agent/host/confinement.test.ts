import { rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { confinementBy, confinementOf, lsmOf } from "../../../src/agent/host/confinement.ts";
import { isOlder, isOlderSeries } from "../../../src/agent/versions.ts";
import { type NodeFolder, nodeFolder } from "../../support/agent/node-folder.ts";

let node: NodeFolder;
beforeEach(() => {
  node = nodeFolder();
});
afterEach(() => rmSync(node.root, { recursive: true, force: true }));

const dump = (settings: string) => `version = 3\n[plugins.'io.containerd.cri.v1.runtime']\n${settings}\n`;
const APPARMOR = { "/sys/kernel/security/apparmor/profiles": "", "/sys/module/apparmor/parameters/enabled": "Y\n" };
const WITH_PARSER = { ...APPARMOR, "/sbin/apparmor_parser": "" };
const SELINUX = { "/sys/fs/selinux/enforce": "1" };

describe("what a node confines containers by", () => {
  test.each<[string, Record<string, string>, string, string]>([
    ["AppArmor, as containerd does unless it is told not to", WITH_PARSER, "disable_apparmor = false", "apparmor"],
    ["nothing where containerd is told not to", WITH_PARSER, "disable_apparmor = true", "none"],
    ["nothing where profiles can't be loaded", APPARMOR, "", "none"],
    [
      "nothing where the kernel has it switched off",
      { ...WITH_PARSER, "/sys/module/apparmor/parameters/enabled": "N\n" },
      "",
      "none",
    ],
    ["SELinux, where containerd is told to", SELINUX, "enable_selinux = true", "selinux"],
    ["nothing where containerd isn't told to use SELinux", SELINUX, "enable_selinux = false", "none"],
    ["nothing where the kernel lacks it", {}, "enable_selinux = true", "none"],
  ])("is %s", (_, files, settings, lsm) => {
    for (const [path, content] of Object.entries(files)) node.write(path, content);
    expect(lsmOf(node.host, dump(settings))).toBe(lsm);
  });
});

test.each([
  ["cri-containerd.apparmor.d (enforce)\n", "", "apparmor"],
  ["unconfined\n", "unconfined\n", undefined],
  ["", "system_u:system_r:container_t:s0:c12,c34\0", "selinux"],
  ["", "system_u:system_r:my_own.process:s0:c1", "selinux"],
  ["", "system_u:system_r:spc_t:s0", undefined],
  ["", "system_u:system_r:unconfined_service_t:s0", undefined],
  ["", "", undefined],
])("a process with the labels %j and %j is confined by %s", (apparmor, current, by) => {
  expect(confinementBy(apparmor, current)).toBe(by);
});

test.each([
  ["6.12.3-arch1", "6.13.0", true],
  ["6.12.3", "6.12.30-cloud", false],
  ["6.18", "6.12", false],
  ["5.15.0-100-generic", "6.1.0", true],
  ["4.1", "4.2.1", true],
  ["simulated", "6.12", false],
  ["6.12", "simulated", false],
])("%s is of an older series than %s: %s", (version, than, older) => expect(isOlderSeries(version, than)).toBe(older));

test("a version is compared to the last number that is asked for", () => {
  expect([isOlder("v1.6.10", "1.6.11"), isOlder("v1.6.11", "1.6.11"), isOlder("v1.10.1", "1.6.11")]).toEqual([
    true,
    false,
    false,
  ]);
});

test("the label of a process can be asked for on any kernel, also on one without security modules", () => {
  expect([undefined, "apparmor", "selinux"]).toContain(confinementOf(process.pid));
});

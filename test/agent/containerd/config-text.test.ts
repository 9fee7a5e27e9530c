import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  handlerTables,
  hasHandler,
  importsOf,
  onlyAddsHandler,
  runtimeTables,
  versionOf,
  withBlock,
  withoutBlock,
} from "../../../src/agent/containerd/config-text.ts";
import { groupsOf } from "../../../src/agent/containerd/daemon.ts";
import { filesOfDaemon } from "../../../src/agent/containerd/layout.ts";

const BINARY = "/var/lib/headroom/bin/headroom-runc";

const DUMP_2 = `version = 2
imports = ["/etc/containerd/config.toml"]

[plugins]

  [plugins."io.containerd.grpc.v1.cri"]
    sandbox_image = "pause:local"

    [plugins."io.containerd.grpc.v1.cri".containerd]
      default_runtime_name = "runc"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes]

        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
          base_runtime_spec = "/etc/base.json"
          pod_annotations = ["a/*"]
          runtime_type = "io.containerd.runc.v2"

          [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
            BinaryName = "/opt/runc"
            SystemdCgroup = true
`;

const DUMP_3 = `version = 3
imports = []

[plugins]
  [plugins.'io.containerd.cri.v1.runtime']
    enable_selinux = false

    [plugins.'io.containerd.cri.v1.runtime'.containerd]
      default_runtime_name = 'crun'

      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes]
        [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.crun]
          runtime_type = 'io.containerd.runc.v2'
          sandboxer = 'podsandbox'

          [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.crun.options]
            SystemdCgroup = true
`;

describe("the handler's tables", () => {
  test("in version 2 are the default runtime's, but for the program", () => {
    expect(handlerTables(DUMP_2, 2, BINARY)).toBe(`[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.headroom]
  base_runtime_spec = "/etc/base.json"
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.headroom.options]
    SystemdCgroup = true
    BinaryName = "${BINARY}"
`);
  });

  test("in version 3 are in that version's place, and follow the default runtime by its name", () => {
    expect(handlerTables(DUMP_3, 3, BINARY)).toBe(`[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.headroom]
  runtime_type = 'io.containerd.runc.v2'
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.headroom.options]
    SystemdCgroup = true
    BinaryName = "${BINARY}"
`);
  });

  test("may be accompanied by the runtimes that containerd has built in", () => {
    expect(runtimeTables(DUMP_3, 2)).toBe(`[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun]
  runtime_type = 'io.containerd.runc.v2'
  sandboxer = 'podsandbox'
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun.options]
  SystemdCgroup = true
`);
  });

  test("for a file of version 2 that containerd 2 shows as version 3 are in version 2's place", () => {
    expect(handlerTables(DUMP_3, 2, BINARY)).toContain(
      'plugins."io.containerd.grpc.v1.cri".containerd.runtimes.headroom]',
    );
  });

  test.each([
    [DUMP_2, 2],
    [DUMP_3, 3],
  ] as const)("are found again, and are all that was added (%#)", (dump, version) => {
    const after = withBlock(dump, handlerTables(dump, version, BINARY));
    expect([hasHandler(dump, BINARY), hasHandler(after, BINARY), hasHandler(after, "/other")]).toEqual([
      false,
      true,
      false,
    ]);
    expect(onlyAddsHandler(dump, after)).toBe(true);
    expect(onlyAddsHandler(dump, after.replace("pause:local", "other").replace("enable_selinux = false", ""))).toBe(
      false,
    );
  });
});

describe("the block at a file's end", () => {
  test("leaves no trace when it is taken out, byte for byte", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string(), (text, tables) => {
        fc.pre(!text.includes("headroom") && !tables.includes("headroom"));
        expect(withoutBlock(withBlock(text, tables))).toBe(text);
      }),
    );
  });

  test("is taken out of a file that others have added to since", () => {
    const edited = `# first\n${withBlock("version = 2\n", "[a]\n")}[b]\n`;
    expect(withoutBlock(edited)).toBe("# first\nversion = 2\n[b]\n");
  });

  test("that isn't there is no reason to change anything", () => {
    expect(withoutBlock("version = 2\n")).toBe("version = 2\n");
  });
});

test.each([
  ["version = 2\n", 2],
  ["# v\nversion = 3\n[a]\nversion = 9\n", 3],
  ["[plugins]\n", 1],
])("the version of %j is %i", (text, version) => expect(versionOf(text)).toBe(version));

test.each([
  ['imports = ["/etc/containerd/conf.d/*.toml"]\n', ["/etc/containerd/conf.d/*.toml"]],
  ["version = 3\nimports = [\n  '/a.toml',\n  \"/b/*.toml\",\n]\n[plugins]\n", ["/a.toml", "/b/*.toml"]],
  ['[plugins]\nimports = ["/no"]\n', []],
  ["", []],
])("imports of %j", (text, imports) => expect(importsOf(text)).toEqual(imports));

test.each([
  ["containerd", "/etc/containerd/config.toml"],
  ["containerd --config /a.toml", "/a.toml"],
  ["containerd -c /a.toml --log-level debug", "/a.toml"],
  ["containerd --config=/a.toml", "/a.toml"],
])("%j reads %s", (line, config) => {
  const process = { argv: line.split(" "), executable: "/usr/bin/containerd", unit: undefined };
  expect(filesOfDaemon(process).config).toBe(config);
});

test("the groups of a process, on either version", () => {
  expect(groupsOf("4:memory:/node/x\n1:name=systemd:/node\n0::/unified:y\n")).toEqual([
    "/sys/fs/cgroup/memory/node/x/cgroup.procs",
    "/sys/fs/cgroup/systemd/node/cgroup.procs",
    "/sys/fs/cgroup/unified:y/cgroup.procs",
  ]);
});

/** Nodes as distributions set them up: the files in ./nodes are written after their documentation. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hasHandler, tablesOf } from "../../../src/agent/containerd/config-text.ts";
import { isDaemon, serviceOf, tooOld } from "../../../src/agent/containerd/daemon.ts";
import { makeEdit, undo } from "../../../src/agent/containerd/edit.ts";
import { filesOfDaemon, type Layout, layoutOf } from "../../../src/agent/containerd/layout.ts";
import { USUAL_RUNTIME } from "../../../src/agent/host/host.ts";
import { dumpOf } from "../../support/agent/fake-containerd.ts";
import { type NodeFolder, nodeFolder } from "../../support/agent/node-folder.ts";

const BINARY = "/var/lib/headroom/bin/headroom-runc";
const ROOT_MOUNT = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n";
const K3S = "/var/lib/rancher/k3s/agent/etc/containerd";
const RKE2 = "/var/lib/rancher/rke2/agent/etc/containerd";
const K3S_FLAGS = `-c ${K3S}/config.toml -a /run/k3s/containerd/containerd.sock --state /run/k3s/containerd --root /x`;

interface Node {
  /** In ./nodes; undefined: it has no configuration file. */
  file: string | undefined;
  argv: string;
  executable: string;
  unit: string | undefined;
  osRelease: string;
  mountinfo: string;
  containerd: string;
  optedIn: string[];
}

const PLAIN: Node = {
  file: "debian",
  argv: "/usr/bin/containerd",
  executable: "/usr/bin/containerd",
  unit: "containerd.service",
  osRelease: "ID=debian\n",
  mountinfo: ROOT_MOUNT,
  containerd: "1.7.24",
  optedIn: [],
};
const K3S_AGENT: Node = {
  ...PLAIN,
  file: "k3s-2",
  argv: `containerd -c ${K3S}/config.toml`,
  executable: "/var/lib/rancher/k3s/data/0f1a8783/bin/k3s",
  unit: "k3s-agent.service",
  containerd: "2.0.4-k3s2",
  optedIn: ["k3s"],
};
const OLD_K3S = { ...K3S_AGENT, file: "k3s-1", argv: `containerd ${K3S_FLAGS}`, containerd: "1.7.15-k3s1" };
const RKE2_AGENT: Node = {
  ...K3S_AGENT,
  file: "rke2",
  argv: `containerd -c ${RKE2}/config.toml`,
  executable: "/var/lib/rancher/rke2/data/v1.32.3-rke2r1-5e0f/bin/containerd",
  unit: "rke2-agent.service",
  optedIn: ["rke2"],
};

const inConfig = (runc: string, config = "/etc/containerd/config.toml"): Layout => ({
  socket: "/run/containerd/containerd.sock",
  config,
  runtime: { ...USUAL_RUNTIME, runc },
  edit: { into: "config" },
});
const inTemplate = (
  distribution: "k3s" | "rke2",
  template: string,
  data = `/var/lib/rancher/${distribution}`,
): Layout => ({
  socket: "/run/k3s/containerd/containerd.sock",
  config: `${data}/agent/etc/containerd/config.toml`,
  runtime: {
    bundles: "/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io",
    runc: `${data}/${distribution === "k3s" ? "data/current/bin" : "bin"}/runc`,
    runcRoot: "/run/containerd/runc/k8s.io",
  },
  edit: { into: "template", path: `${data}/agent/etc/containerd/${template}` },
});

const EDITED: [what: string, node: Node, layout: Layout][] = [
  ["Debian", PLAIN, inConfig("runc")],
  ["no file at all", { ...PLAIN, file: undefined }, inConfig("runc")],
  ["kubeadm, containerd 1.7", { ...PLAIN, file: "kubeadm" }, inConfig("runc")],
  ["kubeadm, containerd 2", { ...PLAIN, file: "kubeadm-2", containerd: "2.1.1" }, inConfig("runc")],
  ["a file of version 2, containerd 2", { ...PLAIN, file: "kubeadm", containerd: "2.1.1" }, inConfig("runc")],
  ["Amazon Linux 2023 of EKS", { ...PLAIN, file: "eks-al2023", containerd: "2.0.5" }, inConfig("/usr/sbin/runc")],
  ["AKS", { ...PLAIN, file: "aks" }, inConfig("/usr/bin/runc")],
  ["nvidia's runtime beside runc", { ...PLAIN, file: "nvidia-beside" }, inConfig("runc")],
  ["no systemd", { ...PLAIN, file: "headroom-e2e", argv: "containerd", unit: undefined }, inConfig("runc")],
  ["a file of another name", { ...PLAIN, argv: "containerd --config=/opt/c.toml" }, inConfig("runc", "/opt/c.toml")],
  ["k3s with containerd 2", K3S_AGENT, inTemplate("k3s", "config-v3.toml.tmpl")],
  ["k3s with containerd 1.7", OLD_K3S, inTemplate("k3s", "config.toml.tmpl")],
  ["k3s that hides its arguments", { ...K3S_AGENT, argv: "containerd" }, inTemplate("k3s", "config-v3.toml.tmpl")],
  [
    "a server of k3s",
    { ...K3S_AGENT, unit: "k3s.service", optedIn: ["k3s-server"] },
    inTemplate("k3s", "config-v3.toml.tmpl"),
  ],
  [
    "k3s in a folder of its own",
    { ...K3S_AGENT, argv: "containerd", executable: "/data/k3s/data/0f1a8783/bin/k3s" },
    inTemplate("k3s", "config-v3.toml.tmpl", "/data/k3s"),
  ],
  ["RKE2", RKE2_AGENT, inTemplate("rke2", "config-v3.toml.tmpl")],
];

const REFUSED: [what: string, node: Node, why: RegExp][] = [
  ["Docker's package", { ...PLAIN, file: "docker" }, /disables its CRI plugin.*Docker's package/],
  [
    "Docker's own containerd",
    { ...PLAIN, unit: "docker.service" },
    /unit docker\.service, which Headroom does not know/,
  ],
  ["k0s", { ...PLAIN, unit: "k0sworker.service" }, /unit k0sworker\.service/],
  [
    "Container-Optimized OS",
    { ...PLAIN, file: "gke-cos", osRelease: 'NAME="COS"\nID=cos\n' },
    /Container-Optimized OS.*Ubuntu/,
  ],
  [
    "a /var that programs can't be run from",
    { ...PLAIN, mountinfo: `${ROOT_MOUNT}30 22 8:2 / /var rw,noexec shared:2 - ext4 /dev/sda2 rw\n` },
    /\/var\/lib\/headroom is on .*noexec/,
  ],
  [
    "a configuration that can't be written",
    { ...PLAIN, mountinfo: `${ROOT_MOUNT}30 22 0:9 / /etc rw shared:2 - overlay overlay ro,lowerdir=/x\n` },
    /config\.toml is on .*read-only/,
  ],
  [
    "nvidia's runtime in runc's place",
    { ...PLAIN, file: "nvidia" },
    /default runtime nvidia starts \/usr\/bin\/nvidia-container-runtime/,
  ],
  [
    "the same on EKS",
    { ...PLAIN, file: "eks-nvidia", containerd: "2.0.5" },
    /starts \/usr\/bin\/nvidia-container-runtime/,
  ],
  [
    "Kata",
    { ...PLAIN, file: "kata", containerd: "2.0.5" },
    /default runtime kata is of the type io\.containerd\.kata\.v2/,
  ],
  [
    "a file of version 1",
    { ...PLAIN, file: "containerd-1.4" },
    /version 1 of containerd's configuration.*config migrate/,
  ],
  [
    "MicroK8s",
    {
      ...PLAIN,
      file: "microk8s",
      argv: "/snap/microk8s/8/bin/containerd --config /var/snap/microk8s/8/args/containerd.toml",
      executable: "/snap/microk8s/8/bin/containerd",
      unit: "snap.microk8s.daemon-containerd.service",
    },
    /MicroK8s.*snap/,
  ],
  ["Talos", { ...PLAIN, file: "talos", unit: undefined, osRelease: "ID=talos\n", containerd: "2.1.1" }, /Talos/],
  ["Bottlerocket", { ...PLAIN, file: "bottlerocket", osRelease: "ID=bottlerocket\n" }, /Bottlerocket/],
  [
    "k3s, unless it is asked for",
    { ...K3S_AGENT, optedIn: [] },
    /k3s \(k3s-agent\.service\).*put k3s into .*agent\.layouts/,
  ],
  ["a server, unless that is asked for", { ...K3S_AGENT, unit: "k3s.service" }, /API down.*put k3s-server into/],
  ["RKE2, unless it is asked for", { ...RKE2_AGENT, optedIn: ["k3s"] }, /put rke2 into/],
  ["a server of RKE2", { ...RKE2_AGENT, unit: "rke2-server.service" }, /API down.*put rke2-server into/],
  ["k3s without systemd", { ...K3S_AGENT, unit: undefined }, /k3s runs without systemd/],
  ["k3s whose templates know no base", { ...OLD_K3S, containerd: "1.6.19-k3s1" }, /this version of k3s is too old/],
];

let folder: NodeFolder;

beforeEach(() => {
  folder = nodeFolder();
});
afterEach(() => rmSync(folder.root, { recursive: true, force: true }));

const processOf = ({ argv, executable, unit }: Node) => ({ argv: argv.split(" "), executable, unit });
const majorOf = ({ containerd }: Node): 1 | 2 => (containerd.startsWith("2.") ? 2 : 1);

function configOf(node: Node): string | undefined {
  if (node.file === undefined) return undefined;
  return readFileSync(new URL(`./nodes/${node.file}.toml`, import.meta.url), "utf8");
}

/** Puts the node's configuration into the folder, and reads the layout from it. */
function layOut(node: Node, text = configOf(node)): { layout: Layout; dump: string } {
  const process = processOf(node);
  const { config } = filesOfDaemon(process);
  mkdirSync(dirname(folder.host.path(config)), { recursive: true });
  if (text !== undefined) folder.write(config, text);
  const dump = dumpOf(folder.host, config, majorOf(node));
  const facts = { ...process, dump, configText: text, osRelease: node.osRelease, mountinfo: node.mountinfo };
  const version = `containerd github.com/containerd/containerd v${node.containerd} abc`;
  return { layout: layoutOf({ ...facts, version }, node.optedIn), dump };
}

/** k3s and RKE2 write their configuration from the template at each start. */
function restart(node: Node, { config, edit }: Layout): void {
  if (!("into" in edit) || edit.into !== "template" || !existsSync(folder.host.path(edit.path))) return;
  const template = readFileSync(folder.host.path(edit.path), "utf8");
  folder.write(config, template.replace('{{ template "base" . }}\n', configOf(node) ?? ""));
}

/** Every file below the folder, with its content and mode. */
function allFiles(): Record<string, string> {
  const entries = readdirSync(folder.root, { recursive: true, withFileTypes: true });
  const paths = entries.map(({ parentPath, name }) => join(parentPath, name));
  return Object.fromEntries(
    paths.map((path) => {
      const { mode } = statSync(path);
      return [relative(folder.root, path), `${mode} ${statSync(path).isFile() ? readFileSync(path, "utf8") : ""}`];
    }),
  );
}

async function edit(node: Node, { layout, dump }: { layout: Layout; dump: string }) {
  const read = async (config: string) => dumpOf(folder.host, config, majorOf(node));
  return await makeEdit({ host: folder.host, layout, binary: BINARY, dump, read });
}

describe("a node's layout", () => {
  test.each(EDITED)("is known: %s", (_, node, layout) => {
    expect(layOut(node).layout).toEqual(layout);
  });

  test("names runc's root where the default runtime has one of its own", () => {
    const text = `${configOf({ ...PLAIN, file: "aks" })}`.replace("SystemdCgroup = true", 'Root = "/run/mine"');
    expect(layOut(PLAIN, text).layout.runtime.runcRoot).toBe("/run/mine/k8s.io");
  });

  test.each(REFUSED)("is refused by name, and no file is touched: %s", async (_, node, why) => {
    const laidOut = layOut(node);
    const before = allFiles();
    expect(laidOut.layout.edit).toEqual({ refused: expect.stringMatching(why) });
    expect(await edit(node, laidOut)).toBeUndefined();
    expect(allFiles()).toEqual(before);
  });

  test("of a node that is refused still tells where its containers are", () => {
    const { socket, runtime } = layOut({ ...K3S_AGENT, optedIn: [] }).layout;
    expect({ socket, runtime, config: expect.any(String), edit: expect.anything() }).toEqual({
      ...inTemplate("k3s", "config-v3.toml.tmpl"),
      config: expect.any(String),
      edit: expect.anything(),
    });
  });
});

const VARIANTS: [how: string, prepare: (node: Node) => string | undefined][] = [
  ["as it comes", configOf],
  ["with no newline at its end", (node) => configOf(node)?.trimEnd()],
  ["with a folder that it imports", (node) => imported(node)],
  ["with a template of the user's", (node) => templated(node)],
];

function imported(node: Node): string | undefined {
  folder.write(
    "/etc/more.d/other.toml",
    `version = ${configOf(node)?.match(/version = (\d)/)?.[1] ?? 2}\n[debug]\nlevel = "info"\n`,
  );
  return configOf(node)
    ?.replace(/^version = .*$/m, '$&\nimports = ["/etc/more.d/*.toml"]')
    .replace(/^imports = \[.*rancher.*\n/m, "");
}

function templated(node: Node): string | undefined {
  const own = '# ours\n{{ template "base" . }}\n[debug]\nlevel = "debug"';
  const directory = dirname(filesOfDaemon(processOf(node)).config);
  for (const name of ["config.toml.tmpl", "config-v3.toml.tmpl"]) folder.write(`${directory}/${name}`, own);
  return filesOfDaemon(processOf(node)).kind === "containerd"
    ? configOf(node)
    : own.replace('{{ template "base" . }}\n', configOf(node) ?? "");
}

describe.each(EDITED)("the handler on %s", (_, node) => {
  test.each(VARIANTS)(
    "is added so that containerd sees nothing else changed, and leaves no trace: %s",
    async (_how, text) => {
      const laidOut = layOut(node, text(node));
      const { layout } = laidOut;
      const before = allFiles();
      const made = await edit(node, laidOut);
      restart(node, layout);
      const after = dumpOf(folder.host, layout.config, majorOf(node));
      expect(hasHandler(after, BINARY)).toBe(true);
      expect(withoutHandler(after)).toEqual(withoutHandler(laidOut.dump));
      expect(optionsOfHandler(after)).toEqual([`BinaryName = "${BINARY}"`, ...optionsOf(laidOut.dump)].sort());
      if (made) undo(folder.host, made);
      if (layout.edit && "into" in layout.edit && layout.edit.into === "template")
        folder.write(layout.config, text(node) ?? "");
      expect(allFiles()).toEqual(before);
    },
  );
});

const withoutHandler = (dump: string): Record<string, string[]> =>
  Object.fromEntries(
    [...tablesOf(dump)]
      .filter(([name, lines]) => !/\.headroom(\.|$)/.test(name) && lines.length > 0)
      .map(([name, lines]) => [name, [...lines].sort()]),
  );

/** But for the program: so the cgroup driver is the same. */
const optionsOf = (dump: string, runtime = "runc"): string[] => {
  const table = dump.split(`.runtimes.${runtime}.options]\n`)[1]?.split(/^\[/m)[0] ?? "";
  return table.split("\n").filter((line) => line !== "" && !(runtime === "runc" && line.startsWith("BinaryName")));
};
const optionsOfHandler = (dump: string): string[] => optionsOf(dump, "headroom").sort();

test.each([
  ["/system.slice/containerd.service", "containerd.service"],
  ["0::/runtime.slice/containerd.service", "containerd.service"],
  ["0::/system.slice/k3s.service/init", "k3s.service"],
  ["0::/user.slice/user-0.slice/session-1.scope", undefined],
])("the group %s is of the unit %s", (groups, unit) => expect(serviceOf(groups)).toBe(unit));

test.each([
  ["containerd github.com/containerd/containerd v1.6.10 abc", true],
  ["containerd github.com/containerd/containerd 1.5.99~ds1", true],
  ["containerd github.com/containerd/containerd v1.6.11 abc", false],
  ["containerd github.com/containerd/containerd/v2 v2.0.1 abc", false],
  ["containerd, built by hand", false],
])("a containerd that doesn't name pods in bundles can't be a target: %s", (said, old) => {
  expect(tooOld(said) !== undefined).toBe(old);
});

test.each([
  [["/usr/bin/containerd"], true],
  [["containerd", "--log-level", "debug", "--config=/etc/containerd/config.toml"], true],
  [["/var/lib/rancher/k3s/data/current/bin/containerd", "-c", "/config.toml", "-a", "/run/k3s/containerd.sock"], true],
  [["/usr/bin/containerd", "--config", "/etc/containerd/config.toml", "config", "dump"], false],
  [["containerd", "--config=/etc/containerd/config.toml", "config", "dump"], false],
  [["/usr/bin/containerd", "--version"], false],
  [["containerd", "-address", "/run/containerd/containerd.sock", "publish", "--topic", "/tasks/exit"], false],
])("%j: a daemon is %s", (argv, daemon) => expect(isDaemon(argv)).toBe(daemon));

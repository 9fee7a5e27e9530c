/**
 * A node's machine that is emulated: Debian's own kernel, cgroup v2 and AppArmor, systemd as its init, on the cluster's bridge. It is entered by SSH,
 * over one connection that is kept. Several times slower than this machine.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createCgroup } from "../cluster/cgroups.ts";
import { type Outcome, type RunOptions, run } from "../cluster/command.ts";
import { inCgroup, startDaemon } from "../cluster/daemons.ts";
import { folderOf, Machine, nodeCgroup, pathWith } from "../cluster/machine.ts";
import { connectVirtualNode } from "../cluster/network.ts";
import { build, type Programs } from "../cluster/programs.ts";
import type { NodeSettings, Settings } from "../cluster/settings.ts";
import { waitFor } from "../cluster/wait.ts";
import { qemu, stockMachine } from "./qemu.ts";

const NODE_PATH = pathWith("/srv");
const FILL_DISK = new URL("./fill-disk.sh", import.meta.url).pathname;
const FILL_SECONDS = 300;
const BOOT_SECONDS = 60;
/** The distribution's own units; the others are written here. */
const OWN_UNITS = ["containerd"];

export class VirtualMachine extends Machine {
  override path(inside: string): string {
    throw new Error(`${inside} of ${this.node.name} cannot be reached from here: it is a virtual machine`);
  }

  override async write(inside: string, content: string, mode = 0o644): Promise<void> {
    const script = 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1"';
    await this.run(["sh", "-c", script, "sh", inside, mode.toString(8)], { input: content });
  }

  override read(inside: string): Promise<string> {
    return this.run(["cat", inside]);
  }

  override entering(command: readonly string[]): [program: string, args: string[]] {
    const words = ["env", "-i", `PATH=${NODE_PATH}`, "HOME=/root", "LANG=C.UTF-8", ...command].map(quoted);
    const options = {
      BatchMode: "yes",
      ConnectTimeout: "10",
      ControlMaster: "auto",
      ControlPath: join(this.folder, "ssh"),
      ControlPersist: "yes",
      IdentityFile: join(this.folder, "key"),
      LogLevel: "ERROR",
      ServerAliveInterval: "10",
      StrictHostKeyChecking: "no",
      UserKnownHostsFile: "/dev/null",
    };
    const settings = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    // In the node's group, which ends the connection with the machine.
    return inCgroup(this.cgroup, ["ssh", ...settings, `root@${this.node.address}`, words.join(" ")]);
  }

  override async runInNetwork(command: readonly string[], input = ""): Promise<string> {
    return this.run(command, { input });
  }

  override async startService(name: string, command: readonly string[]): Promise<void> {
    if (!OWN_UNITS.includes(name)) await this.write(`/etc/systemd/system/${name}.service`, unit(name, command));
    await this.run(["sh", "-c", `systemctl daemon-reload && systemctl enable --quiet --now ${name}`]);
  }

  override async collectLogs(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    if (!this.isOn) return;
    const { stdout } = await this.attempt(["journalctl", "--no-pager", "-o", "short-precise"]);
    await writeFile(join(folder, "journal.log"), stdout);
  }

  override attempt(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const { timeoutSeconds = 60, ...others } = options;
    return super.attempt(command, { ...others, timeoutSeconds: Math.max(60, timeoutSeconds) });
  }
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

function unit(name: string, command: readonly string[]): string {
  const words = command.map(
    (word) => `"${word.replaceAll(/["\\$%]/g, (sign) => (sign === "$" || sign === "%" ? sign + sign : `\\${sign}`))}"`,
  );
  return `[Unit]
Description=${name}
After=containerd.service network.target

[Service]
Environment=PATH=${NODE_PATH}
ExecStart=env ${words.join(" ")}
Restart=always
RestartSec=1
KillMode=process

[Install]
WantedBy=multi-user.target
`;
}

/** Makes its disk, with these images in its containerd, and boots it. */
export async function startVirtualMachine(
  settings: Settings,
  node: NodeSettings,
  programs: Programs,
  images: readonly string[],
  say: (line: string) => void,
): Promise<VirtualMachine> {
  const folder = folderOf(settings, node);
  await mkdir(join(folder, "log"), { recursive: true });
  const [stock] = await Promise.all([
    stockMachine(settings, programs, say),
    run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]),
  ]);
  const disk = join(folder, "root.img");
  await run("cp", ["--sparse=always", join(stock, "root.img"), disk]);
  await createCgroup(nodeCgroup(settings, node));
  const newer = node.newerRuntime ? join(programs.newerRuntime, "root") : "";
  const apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", FILL_DISK];
  const filling = [...apart, disk, await writeFiles(settings, node), newer, ...images];
  await run(...inCgroup(nodeCgroup(settings, node), filling), { timeoutSeconds: FILL_SECONDS });
  await connectVirtualNode(settings, node);
  const machine = new VirtualMachine(settings, node, programs, 0);
  await bootVirtualMachine(settings, machine, programs);
  return machine;
}

/** Switches it on, with the disk that it has. Resolves when it can be entered. */
export async function bootVirtualMachine(
  settings: Settings,
  machine: VirtualMachine,
  programs: Programs,
): Promise<void> {
  const { node } = machine;
  const folder = folderOf(settings, node);
  const disk = {
    name: "vm-programs",
    script: "../../vm/build/vm-programs.sh",
    args: [programs.kubernetes, programs.telegraf],
  };
  const quiet = (): void => undefined;
  const { program, args, environment } = qemu({
    folder: await stockMachine(settings, programs, quiet),
    memoryMiB: node.memoryMiB,
    consoleLog: join(folder, "log", "console.log"),
    append: "headroom.node",
    disks: [
      [join(folder, "root.img"), "cache=unsafe"],
      [join(await build(settings, disk, quiet), "programs.img"), "readonly=on"],
    ],
    cable: { interfaceName: node.interfaceName, address: hardwareAddress(settings, node) },
  });
  await createCgroup(nodeCgroup(settings, node));
  machine.pid = await startDaemon([program, ...args], {
    cgroup: nodeCgroup(settings, node),
    logFile: join(folder, "log", "qemu.log"),
    env: environment,
  });
  await waitFor(`the virtual machine of node ${node.name}`, BOOT_SECONDS, async () => {
    return (await machine.attempt(["systemctl", "is-active", "multi-user.target"])).code === 0;
  });
}

const hardwareAddress = ({ instance }: Settings, { index }: NodeSettings): string =>
  `52:54:00:68:0${instance}:0${index}`;

/** The files that make it this node. */
async function writeFiles(settings: Settings, node: NodeSettings): Promise<string> {
  const folder = folderOf(settings, node);
  const network = [
    `[Match]\nMACAddress=${hardwareAddress(settings, node)}`,
    `[Network]\nAddress=${node.address}/${settings.prefixLength}\nGateway=${settings.hostAddress}\nLinkLocalAddressing=no\n`,
  ];
  const files = {
    "etc/hostname": `${node.name}\n`,
    "etc/hosts": `127.0.0.1 localhost\n127.0.1.1 ${node.name}\n`,
    "etc/systemd/network/10-cable.network": network.join("\n"),
    "root/.ssh/authorized_keys": await readFile(join(folder, "key.pub"), "utf8"),
  };
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, "files", path);
    await mkdir(join(file, ".."), { recursive: true, mode: 0o755 });
    await writeFile(file, content);
  }
  return join(folder, "files");
}

/** QEMU by software emulation, as ./build/vm.sh unpacked it. */
import { join } from "node:path";
import { build, type Programs } from "../cluster/programs.ts";
import type { Settings } from "../cluster/settings.ts";

const RECIPE = { name: "vm", script: "../../vm/build/vm.sh", inputs: ["../../vm/build/initramfs-init"] };

/** One processor, without deeper page tables and the checks of what the kernel may touch: starting processes took a fifth less time than with them. */
const PROCESSOR = "max,la57=off,smap=off,smep=off";
const COMMAND_LINE = "console=ttyS0 quiet panic=-1 mitigations=off";

/** The folder with kernel, initial file system, root disk and QEMU. */
export function stockMachine(settings: Settings, programs: Programs, say: (line: string) => void): Promise<string> {
  return build(settings, { ...RECIPE, args: [join(programs.nodeRoot, "root")] }, say);
}

export interface Emulation {
  /** What ./build/vm.sh made: kernel, initial file system, disk and QEMU. */
  folder: string;
  memoryMiB: number;
  /** Gets what the kernel and the init say. */
  consoleLog: string;
  /** Added to the kernel's command line. */
  append: string;
  /** Image files, and QEMU's options for each: vda, vdb, … */
  disks: readonly (readonly [file: string, options: string])[];
  /** Absent: no network. */
  cable?: { interfaceName: string; address: string };
}

interface Command {
  program: string;
  args: string[];
  environment: NodeJS.ProcessEnv;
}

export function qemu({ folder, memoryMiB, consoleLog, append, disks, cable }: Emulation): Command {
  const of = (name: string): string => join(folder, name);
  const libraries = of("qemu/usr/lib/x86_64-linux-gnu");
  return {
    // Its own loader and libraries: it is from another release than this machine may be.
    program: of("qemu/usr/lib64/ld-linux-x86-64.so.2"),
    environment: { PATH: "/usr/bin:/bin", QEMU_MODULE_DIR: join(libraries, "qemu") },
    args: [
      ...["--library-path", libraries, of("qemu/usr/bin/qemu-system-x86_64")],
      ...["-L", of("qemu/usr/share/qemu"), "-L", of("qemu/usr/share/seabios")],
      ...["-accel", "tcg", "-cpu", PROCESSOR, "-smp", "1", "-m", String(memoryMiB)],
      ...["-display", "none", "-monitor", "none"],
      ...["-serial", `file:${consoleLog}`],
      ...["-kernel", of("vmlinuz"), "-initrd", of("initrd.gz"), "-append", `${COMMAND_LINE} ${append}`],
      ...disks.flatMap(([file, options]) => ["-drive", `file=${file},if=virtio,format=raw,${options}`]),
      ...(cable ? cableArguments(cable) : ["-nic", "none"]),
    ],
  };
}

function cableArguments({ interfaceName, address }: NonNullable<Emulation["cable"]>): string[] {
  const tap = `tap,id=cable,ifname=${interfaceName},script=no,downscript=no`;
  return ["-netdev", tap, "-device", `virtio-net-pci,netdev=cable,mac=${address},romfile=`];
}

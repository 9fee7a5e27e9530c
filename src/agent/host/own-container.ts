/** Containers that the agent runs for itself, unknown to Kubernetes. All files of one are in a folder in memory, which is removed with it. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { entriesOf, readIfThere } from "./files.ts";
import { type Host, runOnHost, runtimeOf } from "./host.ts";
import { RUN_DIRECTORY } from "./layout.ts";

const OWN_CONTAINERS = join(RUN_DIRECTORY, "self-test");

export class OwnContainer {
  readonly id: string;
  /** Its bundle (host path). */
  readonly folder: string;
  readonly #host: Host;

  constructor(host: Host, name: string) {
    this.#host = host;
    this.id = `headroom-self-test-${name}`;
    this.folder = join(OWN_CONTAINERS, name);
  }

  path(...names: string[]): string {
    return this.#host.path(join(this.folder, ...names));
  }

  /** @param mountpoints folders of its root, which any user may enter. */
  make(config: object, mountpoints: readonly string[]): void {
    mkdirSync(this.path("runc"), { recursive: true, mode: 0o700 });
    for (const name of mountpoints) mkdirSync(this.path("rootfs", name), { recursive: true });
    writeFileSync(this.path("config.json"), JSON.stringify(config));
  }

  /** Resolves with what runc says went wrong. The container must not inherit an open file of the host: it could not be dumped. */
  async runc(...args: readonly string[]): Promise<string | undefined> {
    const log = join(this.folder, "runc.log");
    const { runc } = runtimeOf(this.#host);
    const code = await runQuietly(this.#host, [runc, "--root", join(this.folder, "runc"), "--log", log, ...args]);
    if (code === 0) return undefined;
    return [...(readIfThere(this.path("runc.log")) ?? "").matchAll(/msg="(.*)"$/gm)].at(-1)?.[1] ?? `exit code ${code}`;
  }

  /** Its first process, as the host numbers it; NaN: none. */
  pid(): number {
    const state = readIfThere(this.path("runc", this.id, "state.json"));
    return Number(/"init_process_pid":\s*(\d+)/.exec(state ?? "")?.[1]);
  }

  async isRunning(): Promise<boolean> {
    const { runc } = runtimeOf(this.#host);
    const { stdout } = await runOnHost(this.#host, [runc, "--root", join(this.folder, "runc"), "state", this.id]);
    return /"status":\s*"running"/.test(stdout);
  }

  async remove(): Promise<void> {
    await this.runc("delete", "--force", this.id);
    rmSync(this.path(), { recursive: true, force: true });
  }
}

export const ownContainers = (host: Host): string[] => entriesOf(host.path(OWN_CONTAINERS));

/** Takes away all that an agent before this one has left. */
export async function removeOwnContainers(host: Host): Promise<void> {
  for (const name of ownContainers(host)) await new OwnContainer(host, name).remove();
  rmSync(host.path(OWN_CONTAINERS), { recursive: true, force: true });
}

export async function runQuietly(host: Host, argv: readonly string[]): Promise<number> {
  const script = '"$@" </dev/null >/dev/null 2>&1';
  return (await runOnHost(host, ["/bin/sh", "-c", script, "headroom-self-test", ...argv])).code;
}

/**
 * The seccomp filter that this node's runc sets for a profile: what libseccomp makes of it depends on both their versions. Read from a container that is
 * created with the profile and never started. Runtime and kernel tell it in no other way.
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Filter } from "../criu-images/process-definitions.ts";
import { type Group, runGrouped } from "./grouped.ts";
import { OwnContainer } from "./own-container.ts";

const PROGRAM = fileURLToPath(new URL("./filter.pl", import.meta.url));
const printedSchema = z.string().regex(/^\d+ ([0-9a-f]{16})+\n$/);

/** By profile. What libseccomp and runc make of one stays the same while the agent runs, or is as good. */
export class RuntimeFilters {
  readonly #known = new Map<string, Promise<Filter>>();
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Resolves with the filter, in some 100 ms the first time. Rejects when runc does not take the profile.
   * @param profile `linux.seccomp` of an OCI runtime configuration.
   */
  of(group: Group, profile: object): Promise<Filter> {
    const key = JSON.stringify(profile);
    const known = this.#known.get(key) ?? this.#inTurn(() => readFilter(group, profile));
    this.#known.set(key, known);
    known.catch(() => this.#known.delete(key)); // the next one tries again
    return known;
  }

  #inTurn(read: () => Promise<Filter>): Promise<Filter> {
    const next = this.#last.then(read);
    this.#last = next.catch(() => undefined);
    return next;
  }
}

async function readFilter(group: Group, profile: object): Promise<Filter> {
  const container = new OwnContainer(group.host, "filter");
  try {
    await container.remove(); // an agent before this one may have left it
    container.make(configOf(container.id, profile), ["proc", "dev"]);
    const failed = await container.runc("create", "--bundle", container.folder, container.id);
    if (failed !== undefined) throw new Error(failed);
    const printed = printedSchema.parse(await runGrouped(group, ["perl", PROGRAM, String(container.pid())]));
    const [flags = "", hexadecimal = ""] = printed.trim().split(" ");
    return { filter: new Uint8Array(Buffer.from(hexadecimal, "hex")), flags: Number(flags) };
  } finally {
    await container.remove();
  }
}

/** Privileges may be gained, so that runc sets the filter when it creates the container, not when it starts it. */
function configOf(id: string, seccomp: object): object {
  return {
    ociVersion: "1.0.2",
    root: { path: "rootfs" },
    process: { user: { uid: 0, gid: 0 }, args: ["/proc/self/exe"], env: [], cwd: "/", noNewPrivileges: false },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755", "size=64k"] },
    ],
    linux: {
      cgroupsPath: `/${id}`,
      namespaces: ["pid", "ipc", "uts", "mount", "network"].map((type) => ({ type })),
      seccomp,
    },
  };
}

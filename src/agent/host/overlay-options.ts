/** Is an overlay's writable layer complete in itself? With redirects or metadata-only copies it names files of the image. */
import { readFileSync } from "node:fs";
import type { SourceFacts } from "../protocol.ts";
import { overlayOptionsOf } from "./containers.ts";
import { readIfThere } from "./files.ts";
import type { Host } from "./host.ts";

const PARAMETERS = "/sys/module/overlay/parameters";

/** A mount's own option wins over the kernel module's default; mountinfo shows only what differs from that. */
export function overlayObstacle(
  host: Host,
  rootfs: string,
  mountinfo = readFileSync("/proc/1/mountinfo", "utf8"),
): SourceFacts["obstacles"] {
  const options = overlayOptionsOf(rootfs, mountinfo);
  if (options === undefined) return [];
  const used = (["redirect_dir", "metacopy"] as const).filter((name) => {
    const own = options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
    const standard = readIfThere(host.path(`${PARAMETERS}/${name}`))?.trim();
    return own === undefined ? standard === "Y" : own === "on";
  });
  if (used.length === 0) return [];
  const message = `the container's overlay works with ${used.join(" and ")}: its writable layer names files of the image instead of holding them`;
  return [{ reason: "WritableLayer", message }];
}

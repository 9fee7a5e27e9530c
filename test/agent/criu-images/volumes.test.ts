import { describe, expect, test } from "vitest";
import { fromText } from "../../../src/agent/criu-images/message.ts";
import { withVolumePaths } from "../../../src/agent/criu-images/volumes.ts";

const HERE = "..2026_11_30_15_00_00.123456789";
const VOLUMES = [
  { destination: "/scripts", folder: HERE },
  { destination: "/etc/caf\u00e9/", folder: HERE },
];
const named = (name: string) => ({ type: 1, id: 1, reg: { id: 1, name: fromText(name) } });

describe("a file of a volume that the kubelet writes version by version", () => {
  test.each([
    ["is found in the folder that it has here", "/scripts/..2025_01_02_03_04_05.987/run.sh", `/scripts/${HERE}/run.sh`],
    ["may be that folder", "/scripts/..2025_01_02_03_04_05.987", `/scripts/${HERE}`],
    ["may be in a folder in it", "/scripts/..2025_01_02_03_04_05.987/a/b", `/scripts/${HERE}/a/b`],
    ["may be mounted at any name", "/etc/caf\u00e9/..2025_01_02_03_04_05.987/x", `/etc/caf\u00e9/${HERE}/x`],
    ["may be the mounted folder", "/scripts", "/scripts"],
    ["keeps a name that only looks alike", "/scripts/..2025_01_02/run.sh", "/scripts/..2025_01_02/run.sh"],
    ["is not one of another folder", "/tmp/..2025_01_02_03_04_05.987/a", "/tmp/..2025_01_02_03_04_05.987/a"],
    ["is not one beside it", "/scripts2/..2025_01_02_03_04_05.987/a", "/scripts2/..2025_01_02_03_04_05.987/a"],
  ])("%s", (_what, before, after) => {
    expect(withVolumePaths([named(before)], VOLUMES)).toEqual([named(after)]);
  });

  test("is found again when it was found before", () => {
    const once = withVolumePaths([named("/scripts/..2025_01_02_03_04_05.987/a")], VOLUMES);
    expect(withVolumePaths(once, VOLUMES)).toEqual(once);
  });
});

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { stageOf } from "../e2e/cluster/dockerfile.ts";

const root = new URL("../../", import.meta.url);
const dockerfile = readFileSync(new URL("Dockerfile", root), "utf8");
const [controller, agent] = [stageOf(dockerfile, "controller"), stageOf(dockerfile, "agent")];

describe("the Dockerfile's images", () => {
  it.each([["controller", controller] as const, ["agent", agent] as const])(
    "%s runs as a user by number, who is not root",
    (_, { user }) => {
      expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    },
  );

  it("controller holds the published files of package.json and what they need, no source and no CRIU", () => {
    const { files } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
    expect(controller.copies.every(({ from }) => from === "build")).toBe(true);
    const copied = controller.copies.flatMap(({ sources }) => sources.map((source) => source.replace("/src/", "")));
    expect(copied.sort()).toEqual([...files, "node_modules", "package.json"].sort());
  });

  it("agent holds what its program loads, the script that keeps it running, and CRIU", () => {
    const copied = agent.copies.flatMap(({ from, sources }) => sources.map((source) => `${from} ${source}`));
    expect(copied).toEqual(["build /agent", "build /src/dist/agent/keep-running.sh", "criu /criu"]);
  });
});

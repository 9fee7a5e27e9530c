import { describe, expect, it } from "vitest";
import { World } from "../../support/moving-world/world.ts";

describe("a move of a bare pod", () => {
  it("succeeds: the copy runs on the target with the pod's labels, the source is gone", async () => {
    const world = await World.with();
    await world.toTheEnd();
    expect(world.phase).toBe("Succeeded");
    expect(world.nodes.accidents).toEqual([]);
    expect(world.source).toBeUndefined();
    expect(world.target?.spec.nodeName).toBe("z2");
    expect(world.target?.metadata.labels?.app).toBe("counter");
    expect(world.nodes.copy(world.target?.metadata.uid ?? "")).toBe("running");
    expect([...world.nodes.recordsOf("z1"), ...world.nodes.recordsOf("z2")]).toEqual([]);
  });
});

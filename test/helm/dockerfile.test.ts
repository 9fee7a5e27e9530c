import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const root = new URL("../../", import.meta.url);
const lines = readFileSync(new URL("Dockerfile", root), "utf8")
  .split("\n")
  .filter((line) => line.trim() !== "" && !line.startsWith("#"));
const lastStage = lines.slice(lines.findLastIndex((line) => line.startsWith("FROM")) + 1);
const argumentsOf = (instruction: string) =>
  lastStage.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1));

describe("the Dockerfile's last stage", () => {
  it("says only what the test cluster understands when it puts the image together", () => {
    const instructions = new Set(lastStage.map((line) => line.split(" ")[0]));
    expect([...instructions].sort()).toEqual(["COPY", "ENTRYPOINT", "ENV", "USER", "WORKDIR"]);
    for (const copy of argumentsOf("COPY"))
      expect(copy).toMatch(/^--from=(build \/src\/\S+ \.\/\S+|criu \/criu \/\S+)$/);
  });

  it("holds the published files of package.json and what they need, and no source", () => {
    const { files } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
    const copies = argumentsOf("COPY").filter((copy) => copy.startsWith("--from=build "));
    const copied = copies.map((copy) => copy.split(" ")[1]?.replace("/src/", ""));
    expect(copied.sort()).toEqual([...files, "node_modules", "package.json"].sort());
  });

  it("runs as a user by number, who is not root", () => {
    expect(argumentsOf("USER")[0]).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });
});

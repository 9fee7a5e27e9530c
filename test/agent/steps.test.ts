import { describe, expect, test } from "vitest";
import { admit, admitFinished, type State, type StepName } from "../../src/agent/steps.ts";

const target = (state: State) => ({ epoch: 3, state });

describe("a target", () => {
  test.each<[StepName, State, string]>([
    ["register", "registered", "ok"],
    ["register", "aborted", "WrongState"],
    ["receive", "registered", "ok"],
    ["receive", "receiving", "ok"],
    ["receive", "aborted", "WrongState"],
    ["restore", "receiving", "ok"],
    ["restore", "registered", "WrongState"],
    ["restore", "aborted", "WrongState"],
    ["restore", "held", "ok"],
    ["release", "held", "ok"],
    ["release", "released", "ok"],
    ["release", "restoring", "ok"],
    ["release", "receiving", "WrongState"],
    ["release", "aborted", "WrongState"],
    ["abort", "held", "ok"],
    ["abort", "restoring", "ok"],
    ["abort", "released", "AlreadyReleased"],
    ["restore", "released", "AlreadyReleased"],
    ["cleanup", "released", "ok"],
    ["cleanup", "aborted", "ok"],
    ["cleanup", "held", "WrongState"],
    ["cleanup", "receiving", "WrongState"],
  ])("%s of one that is %s: %s", (step, state, expected) => {
    const admission = admit(target(state), "target", step, 3);
    expect(admission.ok ? "ok" : admission.reason).toBe(expected);
  });

  test("that is unknown may be registered, released (by what the node shows), aborted and cleaned up, not restored", () => {
    const admitted = (step: StepName) => admit(undefined, "target", step, 0).ok;
    expect(["register", "release", "abort", "cleanup"].every((step) => admitted(step as StepName))).toBe(true);
    expect(["receive", "restore"].map((step) => admitted(step as StepName))).toEqual([false, false]);
  });
});

describe("a source", () => {
  test.each<[StepName, State, string]>([
    ["dump", "dumping", "ok"],
    ["dump", "dumped", "ok"],
    ["dump", "resumed", "WrongState"],
    ["dump", "killed", "WrongState"],
    ["resume", "dumping", "ok"],
    ["resume", "dumped", "ok"],
    ["resume", "killed", "WrongState"],
    ["kill", "dumped", "ok"],
    ["kill", "killed", "ok"],
    ["kill", "dumping", "ok"],
    ["kill", "resumed", "WrongState"],
    ["cleanup", "resumed", "ok"],
    ["cleanup", "killed", "ok"],
    ["cleanup", "dumping", "WrongState"],
    ["cleanup", "dumped", "WrongState"],
  ])("%s of one that is %s: %s", (step, state, expected) => {
    const admission = admit(target(state), "source", step, 3);
    expect(admission.ok ? "ok" : admission.reason).toBe(expected);
  });
});

test("a command of an older epoch is refused whatever the state", () => {
  expect(admit(target("held"), "target", "release", 2)).toMatchObject({ ok: false, reason: "StaleEpoch" });
  expect(admit(target("held"), "target", "release", 4).ok).toBe(true);
});

describe("a move that has ended and was cleaned up", () => {
  test.each<["target" | "source", StepName, State | "none", string]>([
    ["target", "register", "aborted", "WrongState"],
    ["target", "register", "released", "AlreadyReleased"],
    ["target", "register", "none", "WrongState"],
    ["target", "receive", "aborted", "WrongState"],
    ["target", "restore", "aborted", "WrongState"],
    ["target", "restore", "released", "AlreadyReleased"],
    ["target", "release", "aborted", "WrongState"],
    ["target", "release", "released", "as it was"],
    ["target", "abort", "released", "AlreadyReleased"],
    ["target", "abort", "aborted", "as it was"],
    ["target", "abort", "none", "looks"],
    ["target", "cleanup", "released", "as it was"],
    ["source", "dump", "resumed", "WrongState"],
    ["source", "dump", "none", "WrongState"],
    ["source", "resume", "resumed", "as it was"],
    ["source", "resume", "killed", "WrongState"],
    ["source", "kill", "killed", "as it was"],
    ["source", "kill", "resumed", "WrongState"],
    ["source", "kill", "none", "looks"],
  ])("%s: %s of one that was %s: %s", (role, step, state, expected) => {
    const admission = admitFinished(state, role, step);
    const answered = "finished" in admission ? "as it was" : "looks";
    expect(admission.ok ? answered : admission.reason).toBe(expected);
  });
});

/** Which handler a request belongs to, and who may use it. Pure. */
import type { Client } from "./identity.ts";
import type { Role } from "./move-records.ts";
import type { StepName } from "./steps.ts";

export type Route =
  | { kind: "features" | "warm" | "inspect" | "prepare" | "moves" | "enrolment" | "certificate" }
  | { kind: "step"; role: Role; step: StepName; moveUID: string }
  | { kind: "files"; moveUID: string; part: string; name: string | undefined }
  | { kind: "none" };

const PLAIN: Record<string, Route> = {
  "GET /v1/features": { kind: "features" },
  "GET /v1/warm": { kind: "warm" },
  "POST /v1/inspect": { kind: "inspect" },
  "POST /v1/node/prepare": { kind: "prepare" },
  "GET /v1/moves": { kind: "moves" },
  "GET /v1/enrolment": { kind: "enrolment" },
  "POST /v1/certificate": { kind: "certificate" },
};

const STEP = /^POST \/v1\/moves\/([0-9a-f-]{36})\/(target|source)\/([a-z]+)$/;
const FILES = /^PUT \/v1\/moves\/([0-9a-f-]{36})\/target\/files$/;
const STEPS: Record<Role, readonly string[]> = {
  target: ["register", "receive", "restore", "release", "abort", "cleanup"],
  source: ["dump", "resume", "kill", "cleanup"],
};

export function routeOf(method: string, url: string): Route {
  const { pathname, searchParams } = new URL(url, "https://agent");
  const key = `${method} ${pathname}`;
  const plain = PLAIN[key];
  if (plain) return plain;
  const files = FILES.exec(key)?.[1];
  if (files) {
    return {
      kind: "files",
      moveUID: files,
      part: searchParams.get("part") ?? "",
      name: searchParams.get("name") ?? undefined,
    };
  }
  const [, moveUID, role, step] = STEP.exec(key) ?? [];
  if (moveUID && isRole(role) && isStep(role, step)) return { kind: "step", role, step, moveUID };
  return { kind: "none" };
}

function isRole(text: string | undefined): text is Role {
  return text === "target" || text === "source";
}

function isStep(role: Role, text: string | undefined): text is StepName {
  return text !== undefined && STEPS[role].includes(text);
}

/** May this client use this route? Commands are the controller's alone; agents may only bring files. */
export function mayUse(client: Client, route: Route, enrolled: boolean): boolean {
  if (route.kind === "enrolment" || route.kind === "certificate") return client.kind === "controller";
  if (!enrolled) return false;
  if (route.kind === "warm") return client.kind !== "stranger";
  return route.kind === "files" ? client.kind === "agent" : client.kind === "controller";
}

/** What happened, in sentences, in the order in which it happened. */
import { type ApiObject, arrayAt, numberAt, stringAt } from "../api-server/json.ts";
import type { Change, ObjectStore } from "../api-server/object-store.ts";
import type { OomKill } from "../nodes/kubelet.ts";

export interface Entry {
  /** Since the beginning of the phase. */
  atMs: number;
  tone: "bad" | "good" | "plain";
  text: string;
}

const MOVES = "podmigrations.headroom.dev";
const POLICIES = "migrationpolicies.headroom.dev";

export class Journal {
  readonly entries: Entry[] = [];
  readonly #startMs: number;
  readonly #now: () => number;
  readonly #phases = new Map<string, string>();
  readonly #decided = new Set<string>();
  readonly #marked = new Set<string>();
  #planned: string | undefined;

  constructor(now: () => number) {
    this.#now = now;
    this.#startMs = now();
  }

  /** Writes down moves as they go. Returns the end of it. */
  follow(store: ObjectStore): () => void {
    return store.subscribe((change) => this.#change(change));
  }

  /** `lost`: no copy of it goes on elsewhere. */
  kill({ node, pod, workMs }: OomKill, lost: boolean): void {
    const name = shortName(pod);
    if (!lost)
      this.#add("plain", `out of memory: the kernel on ${node} ends ${name}'s frozen source; its copy goes on`);
    else this.#add("bad", `out of memory: the kernel on ${node} kills ${name}; ${seconds(workMs)} of work are lost`);
  }

  /** Told once for each node. */
  full(node: string, free: number): void {
    if (this.#marked.has(node)) return;
    this.#marked.add(node);
    const limit = `${Math.round(free * 100)} %`;
    this.#add("plain", `${node} has less than ${limit} free: a policy with Threshold at ${limit} would move a pod now`);
  }

  get marked(): string[] {
    return [...this.#marked];
  }

  #change({ store, type, object }: Change): void {
    if (store === POLICIES) this.#policyChange(object);
    if (store !== MOVES || type === "DELETED") return;
    const { uid } = object.metadata;
    const decided = this.#decided.has(uid) ? undefined : decision(object);
    if (decided) this.#decided.add(uid);
    const phase = stringAt(object, "status", "phase") ?? "Pending";
    const progressed = phase === this.#phases.get(uid) ? [] : progress(object, phase);
    this.#phases.set(uid, phase);
    for (const { tone, text } of [...(decided ?? []), ...progressed]) this.#add(tone, text);
  }

  /** A move that is chosen, and has time. */
  #policyChange(policy: ApiObject): void {
    const waiting = arrayAt(policy, "status", "nodes").find((node) => stringAt(node, "outcome") === "StartsLater");
    const name = stringAt(waiting, "name");
    if (name !== undefined && name !== this.#planned) {
      this.#add("plain", `foreseen: ${name}: ${stringAt(waiting, "message") ?? ""}`);
    }
    this.#planned = name;
  }

  #add(tone: Entry["tone"], text: string): void {
    this.entries.push({ atMs: this.#now() - this.#startMs, tone, text });
  }
}

/** Undefined as long as the controller has not written down why. */
function decision(move: ApiObject): Omit<Entry, "atMs">[] | undefined {
  const cause = stringAt(move, "status", "cause", "message");
  if (cause === undefined) return undefined;
  const target = stringAt(move, "spec", "targetNode") ?? "another node";
  const refused = arrayAt(move, "status", "cause", "considered").slice(0, 2);
  return [
    { tone: "plain", text: `decided: ${stringAt(move, "spec", "podName")} goes to ${target}: ${cause}` },
    ...refused.map((refusal) => ({ tone: "plain" as const, text: `  considered ${considered(refusal)}` })),
  ];
}

const considered = (refusal: Parameters<typeof stringAt>[0]): string =>
  `${stringAt(refusal, "pod") ?? stringAt(refusal, "node") ?? ""}: ${stringAt(refusal, "message") ?? ""}`;

function progress(move: ApiObject, phase: string): Omit<Entry, "atMs">[] {
  const pod = stringAt(move, "spec", "podName");
  const freezeMs = numberAt(move, "status", "freezeMilliseconds");
  const message = stringAt(move, "status", "message") ?? "";
  switch (phase) {
    case "Frozen":
      return [
        { tone: "plain", text: `${pod} is frozen; its memory goes to ${stringAt(move, "status", "targetNode")}` },
      ];
    case "Committed":
      return [{ tone: "plain", text: `${pod} is restored and held; committed: from here on it runs on its new node` }];
    case "Succeeded":
      return [
        {
          tone: "good",
          text: `${pod} was moved, memory and all${freezeMs === undefined ? "" : `; it stood still for ${seconds(freezeMs)}`}`,
        },
      ];
    case "RolledBack":
    case "Failed":
    case "Cancelled":
      return [{ tone: "bad", text: `${pod}: ${phase}: ${message}` }];
    default:
      return [];
  }
}

export const seconds = (milliseconds: number): string =>
  `${(milliseconds / 1000).toFixed(milliseconds < 9_950 ? 1 : 0)} s`;

/** Without the namespace. */
export const shortName = (pod: string): string => pod.split("/").at(-1) ?? pod;

/** A run as the page carries it, unpacked when it is first looked at. */

/** @import { Mark, PageData, PageRun } from "../page-data.ts" */

/**
 * @typedef {object} Run
 * @property {string} variant
 * @property {number} seed
 * @property {PageRun} facts
 * @property {Float32Array[]} used By node: the highest use in each stretch of time, as a part of its capacity.
 * @property {Mark[][]} marksOf By node: what concerns it; a move concerns two.
 */

/** As in ../timeline.ts. */
const UNITS_PER_CAPACITY = 10_000;

/** @type {Map<number, Promise<Run>>} */
const unpacked = new Map();

/**
 * @param {PageData} data
 * @param {number} index
 * @returns {Promise<Run>}
 */
export function runOf(data, index) {
  const known = unpacked.get(index) ?? unpack(data, index);
  unpacked.set(index, known);
  return known;
}

/** @param {PageData} data @param {number} index @returns {Promise<Run>} */
async function unpack(data, index) {
  const name = data.runs[index];
  if (name === undefined) throw new Error(`the page has no run ${index}`);
  const [json, memory] = await Promise.all([inflated(`run-${index}-facts`), inflated(`run-${index}-memory`)]);
  const facts = /** @type {PageRun} */ (JSON.parse(new TextDecoder().decode(json)));
  return { ...name, facts, used: figuresOf(memory, facts), marksOf: byNode(facts) };
}

/** @param {string} id @returns {Promise<Uint8Array>} */
async function inflated(id) {
  const base64 = atob(document.getElementById(id)?.textContent ?? "");
  const packed = Uint8Array.from(base64, (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The opposite of `packFigures` in ../timeline.ts. @param {Uint8Array} packed @param {PageRun} facts */
function figuresOf(packed, { nodes, buckets }) {
  const half = packed.length / 2;
  return nodes.map((_, node) => {
    const row = new Float32Array(buckets);
    let figure = 0;
    for (let bucket = 0; bucket < buckets; bucket++) {
      const at = node * buckets + bucket;
      const zigzag = (packed[at] ?? 0) | ((packed[half + at] ?? 0) << 8);
      figure = (figure + ((zigzag >>> 1) ^ -(zigzag & 1))) & 0xffff;
      row[bucket] = figure / UNITS_PER_CAPACITY;
    }
    return row;
  });
}

/** @param {PageRun} facts */
function byNode({ nodes, marks }) {
  /** @type {Mark[][]} */
  const marksOf = nodes.map(() => []);
  for (const mark of marks) for (const node of nodesOf(mark)) marksOf[node]?.push(mark);
  return marksOf;
}

/** The nodes that a mark concerns. @param {Mark} mark */
export const nodesOf = (mark) => (mark.kind === "Move" ? [mark.from, mark.to] : [mark.node]);

/** When a mark is over. @param {Mark} mark @param {Run} run */
export function endOf(mark, run) {
  return "lostSeconds" in mark ? mark.at : (mark.end ?? run.facts.endSeconds);
}

/** A node's use at a moment, as a part of its capacity. @param {Run} run @param {number} node @param {number} seconds */
export function usedAt(run, node, seconds) {
  const row = run.used[node];
  if (row === undefined) return 0;
  const bucket = Math.floor(seconds / run.facts.bucketSeconds);
  return row[Math.max(0, Math.min(row.length - 1, bucket))] ?? 0;
}

/** How much of each kind there is; as in the scores, a kill at a pod's own limit is not one of `kills`. @param {Mark[]} marks */
export function tally(marks) {
  const count = (/** @type {Mark["kind"]} */ kind) => marks.filter((mark) => mark.kind === kind).length;
  return {
    kills: count("Kill"),
    evictions: count("Eviction"),
    limitKills: count("LimitKill"),
    moves: count("Move"),
    gates: count("Gate"),
    full: count("NodesFull"),
  };
}

/** In which line of a YAML or JSON text a field is written, for messages. Pure. */
import {
  EVENT_DOCUMENT,
  EVENT_MAPPING,
  EVENT_POP,
  EVENT_SCALAR,
  EVENT_SEQUENCE,
  getScalarValue,
  parseEvents,
} from "js-yaml";

type Event = ReturnType<typeof parseEvents>[number];

/** `path` as `pods[3].memory`. From 1; of the nearest field around it that is there. Undefined: not to be found. */
export function lineOf(text: string, documentIndex: number, path: string): number | undefined {
  const offset = offsetOf(text, documentIndex, path);
  return offset === undefined ? undefined : text.slice(0, offset).split("\n").length;
}

function offsetOf(text: string, documentIndex: number, path: string): number | undefined {
  try {
    const events = parseEvents(text, {});
    const root = documentStart(events, documentIndex);
    return root === undefined ? undefined : seek(text, events, root, path);
  } catch {
    return undefined;
  }
}

/** Index of the document's root node. */
function documentStart(events: readonly Event[], documentIndex: number): number | undefined {
  let at = 0;
  for (let left = documentIndex; left > 0 && at < events.length; left--) at = nodeEnd(events, at);
  return at + 1 < events.length ? at + 1 : undefined;
}

/** Index after the node that begins at `at`; a document is a node here. */
function nodeEnd(events: readonly Event[], at: number): number {
  let depth = 0;
  for (let index = at; index < events.length; index++) {
    const type = events[index]?.type;
    if (type === EVENT_POP) depth--;
    else if (opens(type)) depth++;
    if (depth === 0) return index + 1;
  }
  return events.length;
}

const opens = (type: number | undefined) =>
  type === EVENT_DOCUMENT || type === EVENT_MAPPING || type === EVENT_SEQUENCE;

/** Offset of the deepest node on the path. */
function seek(text: string, events: readonly Event[], at: number, path: string): number | undefined {
  const event = events[at];
  if (event === undefined) return undefined;
  const member = path === "" ? undefined : memberOf(text, events, at, path);
  const found = member === undefined ? undefined : seek(text, events, member.at, member.rest);
  return found ?? member?.offset ?? startOf(event);
}

function startOf(event: Event): number | undefined {
  if ("start" in event) return event.start;
  return "valueStart" in event ? event.valueStart : undefined;
}

interface Member {
  at: number;
  rest: string;
  offset?: number | undefined;
}

function memberOf(text: string, events: readonly Event[], at: number, path: string): Member | undefined {
  if (events[at]?.type === EVENT_SEQUENCE) return itemOf(events, at, path);
  return events[at]?.type === EVENT_MAPPING ? fieldOf(text, events, at, path) : undefined;
}

function itemOf(events: readonly Event[], at: number, path: string): Member | undefined {
  const match = /^\[(\d+)\]\.?(.*)$/s.exec(path);
  if (match === null) return undefined;
  let item = at + 1;
  for (let left = Number(match[1]); left > 0; left--) {
    if (events[item]?.type === EVENT_POP) return undefined;
    item = nodeEnd(events, item);
  }
  return events[item]?.type === EVENT_POP ? undefined : { at: item, rest: match[2] ?? "" };
}

/** Keys may hold dots: the path is compared with each key as a whole. */
function fieldOf(text: string, events: readonly Event[], at: number, path: string): Member | undefined {
  for (let key = at + 1; events[key] !== undefined && events[key]?.type !== EVENT_POP; ) {
    const event = events[key];
    const value = nodeEnd(events, key);
    if (event?.type === EVENT_SCALAR) {
      const name = getScalarValue(text, event);
      const rest = path.startsWith(name) ? path.slice(name.length) : undefined;
      if (rest === "" || rest?.startsWith(".") || rest?.startsWith("["))
        return { at: value, rest: rest.replace(/^\./, ""), offset: startOf(event) };
    }
    key = nodeEnd(events, value);
  }
  return undefined;
}

/** Things by one of their labels, so that a selection need not look at all of them. */

type Labels = Readonly<Record<string, string>>;

export interface LabelIndex<T> {
  /** At least all that have every one of these labels. */
  having(labels: Labels): readonly T[];
  /** At least all whose labels are every one among these, those without labels too. */
  sharing(labels: Labels): readonly T[];
}

/** A key's values are read when one of them is first asked for. */
export function indexByLabel<T>(things: Iterable<T>, labelsOf: (thing: T) => Labels): LabelIndex<T> {
  const all = [...things];
  const byKey = new Map<string, Map<string, T[]>>();
  let byFirst: ReadonlyMap<string, T[]> | undefined;
  const valuesOf = (key: string) => {
    const known = byKey.get(key) ?? groupBy(all, (thing) => own(labelsOf(thing), key));
    byKey.set(key, known);
    return known;
  };
  return {
    having(labels) {
      const lists = Object.entries(labels).map(([key, value]) => valuesOf(key).get(value) ?? []);
      return lists.reduce((least, list) => (list.length < least.length ? list : least), all);
    },
    sharing(labels) {
      byFirst ??= groupBy(all, (thing) => pairOf(Object.entries(labelsOf(thing))[0]));
      const pairs = [undefined, ...Object.entries(labels)].map(pairOf);
      return pairs.flatMap((pair) => byFirst?.get(pair) ?? []);
    },
  };
}

const own = (labels: Labels, key: string) => (Object.hasOwn(labels, key) ? labels[key] : undefined);

/** Label keys and values have no space. */
const pairOf = (pair: readonly [string, string] | undefined) => pair?.join(" ") ?? "";

function groupBy<T>(things: readonly T[], keyOf: (thing: T) => string | undefined): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const thing of things) {
    const key = keyOf(thing);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [thing]);
    else group.push(thing);
  }
  return groups;
}

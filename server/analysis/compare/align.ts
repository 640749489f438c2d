/** Two runs laid beside one another, by the statements that their actions come from. */

/** Actions of one side that belong together, by index. */
export interface Slot {
  /** What must be the same on both sides. */
  readonly key: string;
  readonly actions: readonly number[];
}

export interface AlignedRow {
  readonly key: string;
  readonly sides: readonly [readonly number[], readonly number[]];
}

/** Consecutive actions of one key are one slot. */
export function slotsOf(keys: readonly string[]): Slot[] {
  const slots: { key: string; actions: number[] }[] = [];
  keys.forEach((key, index) => {
    const last = slots.at(-1);
    if (last?.key === key) last.actions.push(index);
    else slots.push({ key, actions: [index] });
  });
  return slots;
}

/**
 * Keeps the order of both sides; slots of the same key (and the same occurrence of it) that can stand beside one another do,
 * as many as possible. Of what only one side has, the left side's comes first.
 */
export function align(left: readonly Slot[], right: readonly Slot[]): AlignedRow[] {
  const pairs = longestRising(matches(left, right));
  const rows: AlignedRow[] = [];
  let l = 0, r = 0;
  for (const [pairLeft, pairRight] of [...pairs, [left.length, right.length] as const]) {
    for (; l < pairLeft; l++) rows.push({ key: left[l]!.key, sides: [left[l]!.actions, []] });
    for (; r < pairRight; r++) rows.push({ key: right[r]!.key, sides: [[], right[r]!.actions] });
    if (l < left.length && r < right.length) rows.push({ key: left[l]!.key, sides: [left[l++]!.actions, right[r++]!.actions] });
  }
  return rows;
}

/** Pairs of positions, ascending on the left. */
function matches(left: readonly Slot[], right: readonly Slot[]): (readonly [number, number])[] {
  const places = new Map(occurrences(right).map((key, index) => [key, index]));
  return occurrences(left).flatMap((key, index) => {
    const at = places.get(key);
    return at === undefined ? [] : [[index, at] as const];
  });
}

/** "key 0", "key 1": which time it is that a key comes. */
function occurrences(slots: readonly Slot[]): string[] {
  const seen = new Map<string, number>();
  return slots.map(({ key }) => {
    const times = seen.get(key) ?? 0;
    seen.set(key, times + 1);
    return `${key}\n${times}`;
  });
}

/** The longest choice of pairs that rises on the right as well: patience sorting, n log n. */
function longestRising(pairs: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const tails: number[] = [];
  const before: number[] = [];
  pairs.forEach(([, right], index) => {
    let low = 0, high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (pairs[tails[middle]!]![1] < right) low = middle + 1;
      else high = middle;
    }
    before[index] = low === 0 ? -1 : tails[low - 1]!;
    tails[low] = index;
  });
  const chosen: (readonly [number, number])[] = [];
  for (let at = tails.at(-1) ?? -1; at >= 0; at = before[at]!) chosen.push(pairs[at]!);
  return chosen.reverse();
}

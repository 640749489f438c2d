/** Lists of PCI device ids in quirk tables: single ids and ranges of ids. */

/** An id, or the first and the last of a range that belongs to the list with both ends. */
export type IdEntry = number | readonly [first: number, last: number];

/** The ids from `first` to `last` in steps of two. */
export const everySecond = (first: number, last: number): number[] => Array.from({ length: (last - first) / 2 + 1 }, (_, step) => first + 2 * step);

export const listsId = (entries: readonly IdEntry[], id: number): boolean => entries.some((entry) => (typeof entry === 'number' ? entry === id : entry[0] <= id && id <= entry[1]));

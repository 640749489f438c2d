/** Adds `value` to the list of `key`, which is made when it is the first. */
export function append<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const known = lists.get(key);
  if (known) known.push(value);
  else lists.set(key, [value]);
}

/** Each value by what `keyOf` says of it; of several with one key the last. */
export function indexBy<Key, Value>(values: Iterable<Value>, keyOf: (value: Value) => Key): Map<Key, Value> {
  const index = new Map<Key, Value>();
  for (const value of values) index.set(keyOf(value), value);
  return index;
}

/** Values by what `keyOf` says of them, each list in the order of `values`. */
export function groupBy<Key, Value>(values: Iterable<Value>, keyOf: (value: Value) => Key): Map<Key, Value[]> {
  const lists = new Map<Key, Value[]>();
  for (const value of values) append(lists, keyOf(value), value);
  return lists;
}

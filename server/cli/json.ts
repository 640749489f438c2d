/** JSON as the outside contract has it: addresses are strings of lower-case hexadecimal with `0x`. */
export const toJson = (value: unknown): string => JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? `0x${each.toString(16)}` : each), 2);

/** Numbers as people write them: exact at any size; whether a value fits 64 bits is for a check to say. */

/** Bytes of the units that a size may carry. */
const UNITS: Readonly<Record<string, bigint>> = { KiB: 1n << 10n, MiB: 1n << 20n, GiB: 1n << 30n, TiB: 1n << 40n };

const HEXADECIMAL = /^0[xX][0-9a-fA-F][0-9a-fA-F_]*$/;
const DECIMAL = /^([0-9][0-9_]*)([KMGT]iB)?$/;

/** The value of `0xfee0_0000`, `4096` or `4KiB`; undefined when the text is none of these. */
export function parseInteger(text: string): bigint | undefined {
  if (HEXADECIMAL.test(text)) return BigInt(text.replaceAll('_', ''));
  const [, digits, unit] = DECIMAL.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return BigInt(digits.replaceAll('_', '')) * (unit === undefined ? 1n : UNITS[unit]!);
}

/** Lower-case hexadecimal in groups of four digits, the way addresses are written in files: `0xfee0_0000`. */
export function printAddress(value: bigint): string {
  const digits = value.toString(16);
  const head = digits.length % 4;
  const groups = digits.slice(head).match(/.{4}/g) ?? [];
  return `0x${[...(head > 0 ? [digits.slice(0, head)] : []), ...groups].join('_')}`;
}

/** The shortest exact form with a unit (`16GiB`), else hexadecimal unless it is below 4096. */
export function printSize(value: bigint): string {
  const unit = Object.entries(UNITS).findLast(([, bytes]) => value >= bytes && value % bytes === 0n);
  if (unit !== undefined) return `${value / unit[1]}${unit[0]}`;
  return value < 4096n ? value.toString() : printAddress(value);
}

/** `value` as a `number` when it is one of 0 .. `max`, else undefined. */
export function smallNumber(value: bigint | undefined, max: number): number | undefined {
  return value !== undefined && value >= 0n && value <= BigInt(max) ? Number(value) : undefined;
}

/**
 * Addresses as page frame numbers. A 64-bit address shifted by 12 fits 2^52 and is therefore exact in a `number`; the
 * walkers compute with these and split them into 32-bit halves, because arithmetic on `bigint` costs ten times as much.
 */

const word = new BigUint64Array(1);
/** The same eight bytes: low half first (every JavaScript engine that VS Code runs on is little-endian). */
const halves = new Uint32Array(word.buffer);

/** 2^20: a frame number is `high * FRAMES_PER_HIGH + (low >>> 12)` of the address's halves. */
const FRAMES_PER_HIGH = 0x10_0000;

/** The frame that contains `address` (0 .. 2^64-1). */
export function frameOf(address: bigint): number {
  word[0] = address;
  return halves[1]! * FRAMES_PER_HIGH + (halves[0]! >>> 12);
}

/** The address of byte `offset` (0 .. 4095) of a frame. */
export function addressOf(frame: number, offset = 0): bigint {
  const high = Math.floor(frame / FRAMES_PER_HIGH);
  halves[1] = high;
  halves[0] = ((frame - high * FRAMES_PER_HIGH) << 12) | offset;
  return word[0]!;
}

/** A 64-bit word from its halves. */
export function wordOf(low: number, high: number): bigint {
  halves[0] = low;
  halves[1] = high;
  return word[0]!;
}

export function lowHalf(value: bigint): number {
  word[0] = value;
  return halves[0]!;
}

export function highHalf(value: bigint): number {
  word[0] = value;
  return halves[1]!;
}

/** The frame in bits 51:12 of a table entry given as halves: where every vendor keeps it. */
export function frameOfEntry(low: number, high: number): number {
  return (high & 0xf_ffff) * FRAMES_PER_HIGH + (low >>> 12);
}

/** Bits 31:12 of the address of a frame. */
export function frameLow(frame: number): number {
  return (frame % FRAMES_PER_HIGH) << 12;
}

/** Bits 63:32 of the address of a frame. */
export function frameHigh(frame: number): number {
  return Math.floor(frame / FRAMES_PER_HIGH);
}

const LOW_BITS = 0x400_0000;

/** How many times 2 divides `frame`; 52 for 0. */
export function trailingZeros(frame: number): number {
  if (frame === 0) return 52;
  const low = frame % LOW_BITS;
  return low !== 0 ? 31 - Math.clz32(low & -low) : 26 + trailingZeros(frame / LOW_BITS);
}

/** The largest n with 2^n <= `frames`, which is at least 1. */
export function floorLog2(frames: number): number {
  return frames < LOW_BITS ? 31 - Math.clz32(frames) : 26 + floorLog2(Math.floor(frames / LOW_BITS));
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ADDRESS_MAX } from '../../server/simulator/memory/address.js';
import { addressOf, floorLog2, frameHigh, frameLow, frameOf, frameOfEntry, highHalf, lowHalf, trailingZeros, wordOf } from '../../server/simulator/memory/frame.js';

/** Where doubles, signed numbers and address widths end. */
const EDGES = [0n, 1n, 0xfffn, 0x1000n, 1n << 31n, 1n << 32n, (1n << 39n) - 1n, 1n << 48n, (1n << 53n) - 1n, 1n << 53n, (1n << 53n) + 1n, 1n << 57n, 1n << 63n, ADDRESS_MAX];
const address = fc.oneof(fc.constantFrom(...EDGES), fc.bigInt(0n, ADDRESS_MAX), fc.nat(63).map((bit) => 1n << BigInt(bit)));

describe('frame arithmetic is bigint arithmetic', () => {
  it('splits and joins', () => {
    fc.assert(fc.property(address, (value) => {
      const frame = frameOf(value);
      expect(BigInt(frame)).toBe(value >> 12n);
      expect(addressOf(frame, Number(value & 0xfffn))).toBe(value);
      expect([BigInt(lowHalf(value)), BigInt(highHalf(value))]).toEqual([value & 0xffff_ffffn, value >> 32n]);
      expect(wordOf(lowHalf(value), highHalf(value))).toBe(value);
      expect(BigInt(frameOfEntry(lowHalf(value), highHalf(value)))).toBe((value & 0xf_ffff_ffff_f000n) >> 12n);
      expect([BigInt(frameLow(frame) >>> 0), BigInt(frameHigh(frame))]).toEqual([value & 0xffff_f000n, value >> 32n]);
    }), { numRuns: 1000 });
  });

  it('knows alignment and size', () => {
    fc.assert(fc.property(address, (value) => {
      const frames = value >> 12n;
      const zeros = frames === 0n ? 52 : frames.toString(2).length - frames.toString(2).lastIndexOf('1') - 1;
      expect(trailingZeros(Number(frames))).toBe(zeros);
      if (frames > 0n) expect(floorLog2(Number(frames))).toBe(frames.toString(2).length - 1);
    }), { numRuns: 1000 });
    expect(floorLog2(2 ** 52)).toBe(52);
  });
});

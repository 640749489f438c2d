import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ReservedType } from '../../server/simulator/description.js';
import type { ReservedRegion } from '../../server/simulator/kernel/core.js';
import { ADDRESS_MAX, iova, type AddressRange } from '../../server/simulator/memory/address.js';
import { apertureConflicts, isUsable, reservedConflict, widened, withinAperture, withoutReserved, type IovaList } from '../../server/simulator/uapi/vfio/type1/iova-list.js';

const range = (start: bigint, last: bigint) => ({ start: iova(start), last: iova(last) });
const region = (start: bigint, last: bigint, type: ReservedType = 'reserved'): ReservedRegion => ({ range: range(start, last), type });
const covers = (list: readonly AddressRange[], at: bigint): boolean => list.some((each) => each.start <= at && at <= each.last);
const nothing = (): boolean => false;

/** A small address space, so that every address of it can be asked. */
const SPACE = 64;
const smallRange = fc.tuple(fc.nat(SPACE - 1), fc.nat(SPACE - 1)).map(([a, b]) => range(BigInt(Math.min(a, b)), BigInt(Math.max(a, b))));
const regions = fc.array(fc.tuple(smallRange, fc.constantFrom<ReservedType>('direct', 'direct-relaxable', 'reserved', 'msi', 'software-msi')).map(([r, type]) => region(r.start, r.last, type)), { maxLength: 6 });

function expectOrdered(list: IovaList): void {
  list.forEach((each, i) => {
    expect(each.start <= each.last).toBe(true);
    if (i > 0) expect(list[i - 1]!.last < each.start).toBe(true);
  });
}

describe('usable addresses of a type1 container', () => {
  test('VFT-22: exactly the addresses of the aperture without the forbidding regions', () => {
    fc.assert(fc.property(smallRange, smallRange, regions, (first, second, found) => {
      const list = withoutReserved(withinAperture(withinAperture([], first), second), found);
      expectOrdered(list);
      for (let at = 0n; at < SPACE; at++) {
        const wanted = covers([first], at) && covers([second], at) && !found.some((each) => each.type !== 'direct-relaxable' && covers([each.range], at));
        expect(covers(list, at)).toBe(wanted);
      }
    }));
  });

  test('VFT-21: every type of region but the relaxable one conflicts with what is mapped in it', () => {
    const mapped = (asked: AddressRange): boolean => asked.start <= 0x20n && 0x20n <= asked.last;
    expect(reservedConflict([region(0n, 0x1fn), region(0x20n, 0x2fn, 'direct-relaxable')], mapped)).toBeUndefined();
    for (const type of ['direct', 'reserved', 'msi', 'software-msi'] as const) expect(reservedConflict([region(0x20n, 0x2fn, type)], mapped)?.type).toBe(type);
  });

  test('VFT-20: an aperture conflicts when it leaves out something mapped, or everything', () => {
    const list = [range(0n, 0xffffn)];
    const mappedHigh = (asked: AddressRange): boolean => asked.last >= 0xf000n;
    expect(apertureConflicts([], range(0n, 0xfn), mappedHigh)).toBe(false);
    expect(apertureConflicts(list, range(0n, 0x7fffn), nothing)).toBe(false);
    expect(apertureConflicts(list, range(0n, 0x7fffn), mappedHigh)).toBe(true);
    expect(apertureConflicts(list, range(0x1_0000n, 0x2_0000n), nothing)).toBe(true);
  });

  test('VFT-23: when domains leave, the list widens to what is left, up to the whole space', () => {
    const list = withoutReserved([range(0n, 0x7f_ffff_ffffn)], [region(0xfee0_0000n, 0xfeef_ffffn, 'msi')]);
    expect(widened(list, [], [])).toEqual([range(0n, ADDRESS_MAX)]);
    expect(widened(list, [range(0n, 0xffff_ffff_ffffn)], [region(0xfee0_0000n, 0xfeef_ffffn, 'msi')])).toEqual([range(0n, 0xfedf_ffffn), range(0xfef0_0000n, 0xffff_ffff_ffffn)]);
    expect(widened([], [], [])).toEqual([]);
  });

  test('VFT-25: an empty list checks nothing', () => {
    expect(isUsable([], range(0xfee0_0000n, ADDRESS_MAX))).toBe(true);
    expect(isUsable([range(0n, 0xfffn), range(0x2000n, 0x2fffn)], range(0n, 0x2fffn))).toBe(false);
  });
});

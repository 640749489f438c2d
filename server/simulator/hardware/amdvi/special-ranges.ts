/** Input addresses that AMD-Vi treats on their own, for requests without PASID (hw-x86 3.8, PCIE-54). */

import { highHalf, lowHalf } from '../../memory/frame.js';

export type RangeKind = 'interrupt-message' | 'reserved' | 'interrupt' | 'acknowledge' | 'system-management' | 'port-io' | 'configuration';

interface SpecialRange {
  readonly start: bigint;
  readonly last: bigint;
  readonly kind: RangeKind;
}

const RANGES: readonly SpecialRange[] = [
  { start: 0x00_fee0_0000n, last: 0x00_feef_ffffn, kind: 'interrupt-message' },
  { start: 0xfd_0000_0000n, last: 0xfd_f7ff_ffffn, kind: 'reserved' },
  { start: 0xfd_f800_0000n, last: 0xfd_f8ff_ffffn, kind: 'interrupt' },
  { start: 0xfd_f900_0000n, last: 0xfd_f90f_ffffn, kind: 'acknowledge' },
  { start: 0xfd_f910_0000n, last: 0xfd_f91f_ffffn, kind: 'system-management' },
  { start: 0xfd_f920_0000n, last: 0xfd_fbff_ffffn, kind: 'reserved' },
  { start: 0xfd_fc00_0000n, last: 0xfd_fdff_ffffn, kind: 'port-io' },
  { start: 0xfd_fe00_0000n, last: 0xfe_1fff_ffffn, kind: 'configuration' },
  { start: 0xfe_2000_0000n, last: 0xff_ffff_ffffn, kind: 'reserved' },
];

export function specialRange(address: bigint): RangeKind | null {
  const high = highHalf(address);
  // The quick answer for ordinary memory: all ranges lie in 0xfee00000 .. and in 0xfd_00000000 .. 0xff_ffffffff.
  if (high === 0 ? lowHalf(address) >>> 20 !== 0xfee : high < 0xfd || high > 0xff) return null;
  return RANGES.find(({ start, last }) => start <= address && address <= last)?.kind ?? null;
}

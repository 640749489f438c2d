/** How a function is reset before and after a user has it: alone, or with all that is on its bus. */
import type { FunctionDescription } from '../simulator/description.js';

type Ids = ReadonlyMap<number, readonly number[]>;

/** Devices whose function level reset hangs them: Linux does not use it (AMD audio, USB and SATA of Zen 2 chipsets, Intel 82579, MediaTek MT7922). */
const NO_FLR: Ids = new Map([[0x1022, [0x1487, 0x148c, 0x149c, 0x7901]], [0x8086, [0x1502, 0x1503]], [0x14c3, [0x0616]]]);

const isIn = (ids: Ids, fn: FunctionDescription): boolean => fn.ids !== undefined && ids.get(fn.ids.vendor)?.includes(fn.ids.device) === true;

/** Linux knows that a function level reset hangs the device. */
export const hasBrokenFlr = (fn: FunctionDescription): boolean => isIn(NO_FLR, fn);

/** True where nothing resets the function alone: sysfs lists no method, or its capability says so and nothing else is recorded. */
export function lacksOwnReset(fn: FunctionDescription): boolean {
  if (fn.virtualFunction !== undefined) return false;
  if (fn.resetMethods !== undefined) return fn.resetMethods.length === 0;
  return fn.functionLevelReset === false || hasBrokenFlr(fn);
}

/** AMD graphics that stay dead after a reset, by device ID (of vendor 1002): those of the device list of the out-of-tree module vendor-reset, without the processors' own graphics. */
const DEAD_AFTER_RESET: ReadonlyMap<string, readonly number[]> = new Map([
  ['Polaris', [
    0x67c0, 0x67c1, 0x67c2, 0x67c4, 0x67c7, 0x67c8, 0x67c9, 0x67ca, 0x67cc, 0x67cf, 0x67d0, 0x67df, 0x6fdf,
    0x67e0, 0x67e1, 0x67e3, 0x67e7, 0x67e8, 0x67e9, 0x67eb, 0x67ef, 0x67ff, 0x6980, 0x6981, 0x6985, 0x6986, 0x6987, 0x6995, 0x6997, 0x699f,
  ]],
  ['Vega 10', [0x6860, 0x6861, 0x6862, 0x6863, 0x6864, 0x6867, 0x6868, 0x6869, 0x686a, 0x686b, 0x686c, 0x686d, 0x686e, 0x686f, 0x687f]],
  ['Vega 20', [0x66a0, 0x66a1, 0x66a2, 0x66a3, 0x66a4, 0x66a7, 0x66af]],
  ['Navi 10', [0x7310, 0x7312, 0x7318, 0x7319, 0x731a, 0x731b, 0x731e, 0x731f]],
  ['Navi 14', [0x7340, 0x7341, 0x7347, 0x734f]],
  ['Navi 12', [0x7360, 0x7362]],
]);
const AMD_GRAPHICS = 0x1002;

/** The family of a card that is known not to come back; undefined for every other device. */
export const deadAfterReset = ({ ids }: FunctionDescription): string | undefined =>
  (ids?.vendor === AMD_GRAPHICS ? [...DEAD_AFTER_RESET].find(([, devices]) => devices.includes(ids.device))?.[0] : undefined);

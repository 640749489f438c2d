/** How a function is reset before and after a user has it: alone, or with all that is on its bus. */
import type { FunctionDescription } from '../simulator/description.js';

type Ids = ReadonlyMap<number, readonly number[]>;

/** Devices whose function level reset hangs them: Linux does not use it (AMD audio, USB and SATA of Zen 2 chipsets, Intel 82579, MediaTek MT7922). */
const NO_FLR: Ids = new Map([[0x1022, [0x1487, 0x148c, 0x149c, 0x7901]], [0x8086, [0x1502, 0x1503]], [0x14c3, [0x0616]]]);

/** Devices that do not come back from a reset of their bus: Linux makes none (Atheros Wi-Fi, LSI FireWire, TI KeyStone). */
const NO_BUS_RESET: Ids = new Map([[0x168c, [0x0030, 0x0032, 0x0033, 0x0034, 0x003c, 0x003e]], [0x11c1, [0x5900, 0x5901]], [0x104c, [0xb005]]]);

const isIn = (ids: Ids, fn: FunctionDescription): boolean => fn.ids !== undefined && ids.get(fn.ids.vendor)?.includes(fn.ids.device) === true;

/** Linux knows that a function level reset hangs the device. */
export const hasBrokenFlr = (fn: FunctionDescription): boolean => isIn(NO_FLR, fn);
export const hasBrokenBusReset = (fn: FunctionDescription): boolean => isIn(NO_BUS_RESET, fn);

/** True where nothing resets the function alone: sysfs lists no method, or its capability says so and nothing else is recorded. */
export function lacksOwnReset(fn: FunctionDescription): boolean {
  if (fn.virtualFunction !== undefined) return false;
  if (fn.resetMethods !== undefined) return fn.resetMethods.length === 0;
  return fn.functionLevelReset === false || hasBrokenFlr(fn);
}

/** AMD graphics that stay dead after a reset, by device ID (of vendor 1002): what the out-of-tree module vendor-reset was made for. */
const DEAD_AFTER_RESET: readonly { readonly family: string; readonly first: number; readonly last: number }[] = [
  { family: 'Polaris', first: 0x67c0, last: 0x67ff }, { family: 'Polaris', first: 0x6fdf, last: 0x6fdf }, { family: 'Polaris', first: 0x6980, last: 0x699f },
  { family: 'Vega 10', first: 0x6860, last: 0x687f }, { family: 'Vega 20', first: 0x66a0, last: 0x66af },
  { family: 'Navi 10', first: 0x7310, last: 0x731f }, { family: 'Navi 14', first: 0x7340, last: 0x734f }, { family: 'Navi 12', first: 0x7360, last: 0x7362 },
];
const AMD_GRAPHICS = 0x1002;

/** The family of a card that is known not to come back; undefined for every other device. */
export const deadAfterReset = ({ ids }: FunctionDescription): string | undefined =>
  (ids?.vendor === AMD_GRAPHICS ? DEAD_AFTER_RESET.find(({ first, last }) => first <= ids.device && ids.device <= last)?.family : undefined);

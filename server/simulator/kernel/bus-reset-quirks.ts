/** Devices that do not come back from a reset of their bus (PCI_DEV_FLAGS_NO_BUS_RESET): Linux makes none that would hit them. Stable releases have the later entries too. */
import type { FunctionDescription } from '../description.js';
import { listsId, type IdEntry } from './quirk-ids.js';

const NO_BUS_RESET: ReadonlyMap<number, readonly IdEntry[]> = new Map<number, readonly IdEntry[]>([
  // Atheros Wi-Fi.
  [0x168c, [0x0030, [0x0032, 0x0034], 0x003c, 0x003e]],
  // TI KeyStone.
  [0x104c, [0xb005]],
  // Cavium root ports, below which a device that was reset is never ready again.
  [0x177d, [0xa100]],
  // ASM1164 SATA.
  [0x1b21, [0x1164]],
  // NVIDIA T4, and boards whose firmware alone can reset them.
  [0x10de, [0x1eb8, [0x2340, 0x237f]]],
]);

/** Of a bridge: no bus below it is reset. */
export const forbidsBusReset = ({ ids }: FunctionDescription): boolean => ids !== undefined && listsId(NO_BUS_RESET.get(ids.vendor) ?? [], ids.device);

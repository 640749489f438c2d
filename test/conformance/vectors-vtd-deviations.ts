/** What the emulator that was asked does where the manual says something else. These stay differences, with a name. */
import type { UnitAnswer, UnitFault } from '../../server/simulator/hardware/architecture.js';
import type { Asked } from './vector-case.js';

const PAGES = [1n << 12n, 1n << 21n, 1n << 30n];
export const pageKey = ({ requesterId, address }: Asked, size: bigint): string => `${requesterId} ${size} ${address / size}`;

/**
 * Scalable mode has reasons of its own for the steps that legacy mode has too; the emulator gives some of them the legacy
 * number. By our reason: what it records.
 */
const LEGACY_NUMBERS: ReadonlyMap<number, readonly number[]> = new Map([
  [0x38, [0x08]], [0x39, [0x01]], [0x3a, [0x0a]], [0x40, [0x09]], [0x41, [0x02]], [0x42, [0x0b]], [0x43, [0x03]],
  [0x78, [0x07]], [0x79, [0x05, 0x06]], [0x7a, [0x0c]], [0x7b, [0x03]], [0x84, [0x04]],
]);

/** What decides which deviation it is. */
export interface Situation {
  /** Pages that this case reached before, as `pageKey`. */
  readonly reached: ReadonlySet<string>;
  readonly scalable: boolean;
  /** One of the two halves of the root entry has a reserved bit. */
  readonly rootHasReserved: boolean;
}

export function deviationOf(expected: string, answer: UnitAnswer, asked: Asked, situation: Situation): string | undefined {
  const text = /^FAULT reason=(\w+)/.exec(expected)?.[1];
  const recorded = text === undefined ? null : Number.parseInt(text, 16);
  if (situation.scalable && recorded === 0x0a && situation.rootHasReserved) return 'both halves of a scalable root entry are judged, whichever is used';
  if (answer.kind === 'fault' && answer.code === 0x25 && expected === 'OK interrupt') return 'messages of the old format always pass';
  if (answer.kind === 'interrupt' || (answer.kind === 'fault' && answer.code === 0x87)) return 'interrupt address checks differ';
  if (answer.kind !== 'fault') return undefined;
  return (situation.scalable ? scalableDeviation(recorded, answer) : undefined) ?? (recorded === null ? cacheDeviation(answer, asked, situation.reached) : undefined);
}

function scalableDeviation(recorded: number | null, { code, recorded: shown }: UnitFault): string | undefined {
  if (code === 0x52 || code === 0x5a) return 'reserved bits of PASID directory and PASID entry are not judged';
  if (recorded === null) return code === 0x83 || code === 0x5b ? 'pass-through takes the request off the unit, which judges neither width nor AW' : undefined;
  if (LEGACY_NUMBERS.get(code)?.includes(recorded) === true) return 'the number of legacy mode';
  if (recorded === 0x5b && code === 0x59) return 'the type of a PASID entry is judged before whether it is present';
  return recorded === code && !shown ? 'FPD of PASID directory and PASID entry counts only when both are right' : undefined;
}

function cacheDeviation({ code }: UnitFault, asked: Asked, reached: ReadonlySet<string>): string | undefined {
  const known = PAGES.some((size) => reached.has(pageKey(asked, size)));
  return known && NO_PERMISSION.has(code) ? 'a cached translation without permission drops the access and records nothing' : undefined;
}

const NO_PERMISSION: ReadonlySet<number> = new Set([0x05, 0x06, 0x79, 0x85]);

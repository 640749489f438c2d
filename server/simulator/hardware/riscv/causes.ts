/** Causes of the RISC-V IOMMU: what they are called, who hears of them, what an ATS request is answered (RVI 4.9). */
import type { UnitFault } from '../architecture.js';

/** What a translation request gets for a cause: unsupported request, completer abort, or success without any permission. */
export type RequestAnswer = 'unsupported-request' | 'completer-abort' | 'no-access';

export interface Cause {
  readonly code: number;
  readonly text: string;
  /** Recorded although DC.tc.DTF is set. */
  readonly recordedDespiteDtf: boolean;
  readonly toTranslationRequest: RequestAnswer;
}

const UR = 'unsupported-request';
const CA = 'completer-abort';
const NONE = 'no-access';

const ROWS: readonly (readonly [code: number, recordedDespiteDtf: 0 | 1, toTranslationRequest: RequestAnswer, text: string])[] = [
  [1, 0, CA, 'Instruction access fault'],
  [5, 0, CA, 'Read access fault'],
  [7, 0, CA, 'Write/AMO access fault'],
  [12, 0, NONE, 'Instruction page fault'],
  [13, 0, NONE, 'Read page fault'],
  [15, 0, NONE, 'Write/AMO page fault'],
  [20, 0, NONE, 'Instruction guest page fault'],
  [21, 0, NONE, 'Read guest-page fault'],
  [23, 0, NONE, 'Write/AMO guest-page fault'],
  [256, 1, UR, 'All inbound transactions disallowed'],
  [257, 1, UR, 'DDT entry load access fault'],
  [258, 1, UR, 'DDT entry not valid'],
  [259, 1, UR, 'DDT entry misconfigured'],
  [260, 0, UR, 'Transaction type disallowed'],
  [261, 0, CA, 'MSI PTE load access fault'],
  [262, 0, NONE, 'MSI PTE not valid'],
  [263, 0, CA, 'MSI PTE misconfigured'],
  [265, 0, CA, 'PDT entry load access fault'],
  [266, 0, NONE, 'PDT entry not valid'],
  [267, 0, CA, 'PDT entry misconfigured'],
  [268, 1, CA, 'DDT data corruption'],
  [269, 0, CA, 'PDT data corruption'],
  [270, 0, CA, 'MSI PT data corruption'],
  [274, 0, CA, 'First/second-stage PT data corruption'],
];

const CAUSES: ReadonlyMap<number, Cause> = new Map(ROWS.map(([code, despiteDtf, toTranslationRequest, text]) => [code, { code, text, recordedDespiteDtf: despiteDtf === 1, toTranslationRequest }]));

/** Every cause that a request can have. */
export const causes = (): Iterable<Cause> => CAUSES.values();

/** @throws Error for a number that no request can have */
export function causeOf(code: number): Cause {
  const cause = CAUSES.get(code);
  if (cause === undefined) throw new Error(`there is no cause ${code}`);
  return cause;
}

export const CAUSE = {
  off: 256, directoryLoad: 257, directoryInvalid: 258, directoryMisconfigured: 259, disallowed: 260, msiLoad: 261, msiInvalid: 262, msiMisconfigured: 263,
  processLoad: 265, processInvalid: 266, processMisconfigured: 267, directoryCorrupt: 268, processCorrupt: 269, msiCorrupt: 270, tableCorrupt: 274,
} as const;

/** What the access decides of a cause: the exception codes of a hart (RV-T3). Execution counts before reading, reading before writing. */
export interface AccessCauses {
  readonly access: number;
  readonly page: number;
  readonly guestPage: number;
}
export const EXECUTE_CAUSES: AccessCauses = { access: 1, page: 12, guestPage: 20 };
export const READ_CAUSES: AccessCauses = { access: 5, page: 13, guestPage: 21 };
export const WRITE_CAUSES: AccessCauses = { access: 7, page: 15, guestPage: 23 };

/** How a fault record names the request (TTYP); translated requests have 4 more. */
export const TRANSACTION = { execute: 1, read: 2, write: 3, translated: 4, translationRequest: 8 } as const;

/** @param value iotval2 of the record */
export const riscvFault = (code: number, recorded: boolean, value: bigint): UnitFault => ({ kind: 'fault', code, decimal: true, name: causeOf(code).text, recorded, value });

/** The line of Linux's driver (RVI 5), which bears the name of its platform driver; it is printed for each record of the fault queue. */
export function faultLine(unit: string, fault: UnitFault, deviceId: number, address: bigint): string {
  return `riscv,iommu ${unit}: Fault ${fault.code} devid: 0x${deviceId.toString(16)} iotval: ${address.toString(16)} iotval2: ${(fault.value ?? 0n).toString(16)}`;
}

/** Fault reasons of VT-d and what Linux prints about them (hw-x86 2.7, 2.9). */
import type { UnitFault, UnitRequest } from '../architecture.js';
import type { FaultLineStyle } from './driver.js';

export interface FaultReason {
  readonly code: number;
  /** The manual's condition. */
  readonly id: string;
  /** A set FPD bit suppresses the record. */
  readonly qualified: boolean;
  /** What Linux prints; "Unknown" where its table ends. */
  readonly text: string;
}

const UNKNOWN = 'Unknown';
type Row = readonly [code: number, id: string, qualified: 0 | 1, text: string];

/**
 * 0x0B is the one row that sources disagree about. An independent model records it whatever FPD says, which is the only
 * recorded evidence and so what we do; the other reading would make it 1.
 */
const ROWS: readonly Row[] = [
  [0x01, 'LRT.2', 0, 'Present bit in root entry is clear'],
  [0x02, 'LCT.2', 1, 'Present bit in context entry is clear'],
  [0x03, 'LCT.4', 1, 'Invalid context entry'],
  [0x04, 'LGN.1', 1, 'Access beyond MGAW'],
  [0x05, 'LGN.2', 1, 'PTE Write access is not set'],
  [0x06, 'LGN.3', 1, 'PTE Read access is not set'],
  [0x07, 'LSL.1', 1, 'Next page table ptr is invalid'],
  [0x08, 'LRT.1', 0, 'Root table address invalid'],
  [0x09, 'LCT.1', 0, 'Context table ptr is invalid'],
  [0x0a, 'LRT.3', 0, 'non-zero reserved fields in RTP'],
  [0x0b, 'LCT.3', 0, 'non-zero reserved fields in CTP'],
  [0x0c, 'LSL.2', 1, 'non-zero reserved fields in PTE'],
  [0x0d, 'LCT.5', 1, 'PCE for translation request specifies blocking'],
  [0x0e, 'LGN.4', 1, UNKNOWN],
  [0x20, 'IR.1', 0, 'Detected reserved fields in the decoded interrupt-remapped request'],
  [0x21, 'IR.2', 0, 'Interrupt index exceeded the interrupt-remapping table size'],
  [0x22, 'IR.3', 1, 'Present field in the IRTE entry is clear'],
  [0x23, 'IR.4', 0, 'Error accessing interrupt-remapping table pointed by IRTA_REG'],
  [0x24, 'IR.5', 1, 'Detected reserved fields in the IRTE entry'],
  [0x25, 'IR.6', 0, 'Blocked a compatibility format interrupt request'],
  [0x26, 'IR.7', 1, 'Blocked an interrupt request due to source-id verification failure'],
  [0x30, 'RTA.1', 0, 'SM: Invalid Root Table Address'],
  [0x31, 'RTA.2', 0, 'SM: TTM 0 for request with PASID'],
  [0x32, 'RTA.3', 0, 'SM: TTM 0 for page group request'],
  [0x38, 'SRT.1', 0, 'SM: Error attempting to access Root Entry'],
  [0x39, 'SRT.2', 0, 'SM: Present bit in Root Entry is clear'],
  [0x3a, 'SRT.3', 0, 'SM: Non-zero reserved field set in Root Entry'],
  [0x40, 'SCT.1', 0, 'SM: Error attempting to access Context Entry'],
  [0x41, 'SCT.2', 1, 'SM: Present bit in Context Entry is clear'],
  [0x42, 'SCT.3', 1, 'SM: Non-zero reserved field set in the Context Entry'],
  [0x43, 'SCT.4', 1, 'SM: Invalid Context Entry'],
  [0x44, 'SCT.5', 1, 'SM: DTE field in Context Entry is clear'],
  [0x45, 'SCT.6', 1, 'SM: PASID Enable field in Context Entry is clear'],
  [0x46, 'SCT.7', 1, 'SM: PASID is larger than the max in Context Entry'],
  [0x47, 'SCT.8', 1, 'SM: PRE field in Context-Entry is clear'],
  [0x48, 'SCT.9', 1, 'SM: RID_PASID field error in Context-Entry'],
  [0x50, 'SPD.1', 0, 'SM: Error attempting to access the PASID Directory Entry'],
  [0x51, 'SPD.2', 1, 'SM: Present bit in Directory Entry is clear'],
  [0x52, 'SPD.3', 1, 'SM: Non-zero reserved field set in PASID Directory Entry'],
  [0x58, 'SPT.1', 0, 'SM: Error attempting to access PASID Table Entry'],
  [0x59, 'SPT.2', 1, 'SM: Present bit in PASID Table Entry is clear'],
  [0x5a, 'SPT.3', 1, 'SM: Non-zero reserved field set in PASID Table Entry'],
  [0x5b, 'SPT.4', 1, 'SM: Invalid Scalable-Mode PASID Table Entry'],
  [0x5c, 'SPT.5', 1, 'SM: ERE field is clear in PASID Table Entry'],
  [0x5d, 'SPT.6', 1, 'SM: SRE field is clear in PASID Table Entry'],
  [0x70, 'SFS.1', 1, 'SM: Error attempting to access first-level paging entry'],
  [0x71, 'SFS.2', 1, 'SM: Present bit in first-level paging entry is clear'],
  [0x72, 'SFS.3', 1, 'SM: Non-zero reserved field set in first-level paging entry'],
  [0x73, 'SFS.4', 1, 'SM: Error attempting to access FL-PML4 entry'],
  [0x74, 'SFS.5', 1, 'SM: First-level entry address beyond MGAW in Nested translation'],
  [0x75, 'SFS.6', 1, 'SM: Read permission error in FL-PML4 entry in Nested translation'],
  [0x76, 'SFS.7', 1, 'SM: Read permission error in first-level paging entry in Nested translation'],
  [0x77, 'SFS.8', 1, 'SM: Write permission error in first-level paging entry in Nested translation'],
  [0x78, 'SSS.1', 1, 'SM: Error attempting to access second-level paging entry'],
  [0x79, 'SSS.2', 1, 'SM: Read/Write permission error in second-level paging entry'],
  [0x7a, 'SSS.3', 1, 'SM: Non-zero reserved field set in second-level paging entry'],
  [0x7b, 'SSS.4', 1, 'SM: Invalid second-level page table pointer'],
  [0x7c, 'SSS.5', 1, 'SM: A/D bit update needed in second-level entry when set up in no snoop'],
  [0x80, 'SGN.1', 1, 'SM: Address in first-level translation is not canonical'],
  [0x81, 'SGN.2', 1, 'SM: U/S set 0 for first-level translation with user privilege'],
  [0x82, 'SGN.3', 1, 'SM: No execute permission for request with PASID and ER=1'],
  [0x83, 'SGN.4', 1, 'SM: Address beyond the DMA hardware max'],
  [0x84, 'SGN.5', 1, 'SM: Second-level entry address beyond the max'],
  [0x85, 'SGN.6', 1, 'SM: No write permission for Write/AtomicOp request'],
  [0x86, 'SGN.7', 1, 'SM: No read permission for Read/AtomicOp request'],
  [0x87, 'SGN.8', 1, 'SM: Invalid address-interrupt address'],
  [0x90, 'SFS.9', 1, 'SM: A/D bit update needed in first-level entry when set up in no snoop'],
];

const REASONS: ReadonlyMap<number, FaultReason> = new Map(ROWS.map(([code, id, qualified, text]) => [code, { code, id, qualified: qualified === 1, text }]));

/** Every reason, by code. */
export const faultReasons = (): Iterable<FaultReason> => REASONS.values();

export function faultReason(code: number): FaultReason {
  return REASONS.get(code) ?? { code, id: '', qualified: true, text: UNKNOWN };
}

/** A refused request; `disabled` is FPD of the entries that were read (VTD-40). */
export function vtdFault(code: number, disabled: boolean, interruptIndex?: number): UnitFault {
  const { id, qualified, text } = faultReason(code);
  return { kind: 'fault', code, name: text === UNKNOWN ? id : text, recorded: !(disabled && qualified), ...(interruptIndex !== undefined && { interruptIndex }) };
}

/** Codes from here to `INTERRUPT_CODES_END` are about interrupts. */
const INTERRUPT_CODES = 0x20;
const INTERRUPT_CODES_END = 0x30;

const two = (value: number): string => value.toString(16).padStart(2, '0');

function deviceText(requesterId: number, segment: number, style: FaultLineStyle): string {
  const address = `${two(requesterId >> 8)}:${two((requesterId >> 3) & 31)}.${requesterId & 7}`;
  return style === 'no-pasid-segment' ? `${segment.toString(16).padStart(4, '0')}:${address}` : address;
}

/** The lines of one recorded fault. The status is that of one pending fault in the first record. */
export function faultLines(fault: UnitFault, request: UnitRequest, segment: number, style: FaultLineStyle): readonly string[] {
  const status = 'DMAR: DRHD: handling fault status reg 2';
  const device = deviceText(request.requesterId, segment, style);
  const { text } = faultReason(fault.code);
  const old = style === 'pasid-ffffffff';
  const reason = old ? fault.code.toString().padStart(2, '0') : `0x${two(fault.code)}`;
  const number = (value: bigint): string => (old ? value.toString(16) : `0x${value.toString(16)}`);
  if (fault.code >= INTERRUPT_CODES && fault.code < INTERRUPT_CODES_END) {
    return [status, `DMAR: [INTR-REMAP] Request device [${device}] fault index ${number(BigInt(fault.interruptIndex ?? 0))} [fault reason ${reason}] ${text}`];
  }
  // The T1 bit of the record decides the word: an atomic counts as a read.
  const access = request.access === 'write' ? 'Write' : 'Read';
  const page = number(request.address & ~0xfffn);
  if (old) {
    const pasid = (request.pasid ?? 0xffff_ffff).toString(16);
    return [status, `DMAR: [DMA ${access}] Request device [${device}] PASID ${pasid} fault addr ${page} [fault reason ${reason}] ${text}`];
  }
  const pasid = request.pasid === undefined ? 'NO_PASID' : `PASID 0x${request.pasid.toString(16)}`;
  return [status, `DMAR: [DMA ${access} ${pasid}] Request device [${device}] fault addr ${page} [fault reason ${reason}] ${text}`];
}

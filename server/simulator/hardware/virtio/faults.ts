/** Reasons of fault events, and the line that Linux prints about one (VIO 6.3). */
import { hex } from '../../memory/address.js';
import type { UnitFault, UnitRequest } from '../architecture.js';
import { FAULT_FLAG, REASON } from './protocol.js';

const REASONS: Readonly<Record<number, { readonly name: string; /** In Linux's line. */ readonly word: string }>> = {
  [REASON.unknown]: { name: 'VIRTIO_IOMMU_FAULT_R_UNKNOWN', word: 'unknown' },
  [REASON.domain]: { name: 'VIRTIO_IOMMU_FAULT_R_DOMAIN', word: 'domain' },
  [REASON.mapping]: { name: 'VIRTIO_IOMMU_FAULT_R_MAPPING', word: 'page' },
};

/** A fault event. Linux keeps the event queue filled with buffers, so none is lost (VI-13). @param flags `FAULT_FLAG` bits */
export function virtioFault(code: number, flags: number): UnitFault {
  return { kind: 'fault', code, name: REASONS[code]!.name, flags, recorded: true };
}

/** The same in all versions. @param device as the kernel names the device, "virtio0" */
export function faultLine(fault: UnitFault, request: UnitRequest, device: string): string {
  const flags = fault.flags ?? 0;
  const line = `virtio_iommu ${device}: ${REASONS[fault.code]!.word} fault from EP ${request.requesterId}`;
  if ((flags & FAULT_FLAG.address) === 0) return line;
  const letters = `${(flags & FAULT_FLAG.read) !== 0 ? 'R' : ''}${(flags & FAULT_FLAG.write) !== 0 ? 'W' : ''}${(flags & FAULT_FLAG.exec) !== 0 ? 'X' : ''}`;
  return `${line} at ${hex(request.address)} [${letters}]`;
}

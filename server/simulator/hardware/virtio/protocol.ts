/** Numbers and names of the virtio-iommu protocol (VIO 6.1): requests with their sizes, statuses, flags, fault reasons. */
import type { Errno } from '../../errno.js';

/** Feature bits that the device may offer. */
export const FEATURE = { inputRange: 0, domainRange: 1, mapUnmap: 2, bypass: 3, probe: 4, mmio: 5, bypassConfig: 6 } as const;

export const REQUEST = { attach: 1, detach: 2, map: 3, unmap: 4, probe: 5 } as const;

/** Bytes that the device reads of each request: the head of four bytes and what follows it. A shorter one is INVAL (VI-19). */
export const REQUEST_SIZES: Readonly<Record<number, number>> = {
  [REQUEST.attach]: 20, [REQUEST.detach]: 20, [REQUEST.map]: 36, [REQUEST.unmap]: 28, [REQUEST.probe]: 72,
};
/** A request that is shorter than its head cannot even be answered (VI-8). */
export const HEAD_SIZE = 4;

export type Status = 'OK' | 'IOERR' | 'UNSUPP' | 'DEVERR' | 'INVAL' | 'RANGE' | 'NOENT' | 'FAULT' | 'NOMEM';

/** Statuses by number, and what Linux makes of them (VIO 6.3). */
export const STATUSES: Readonly<Record<Status, { readonly code: number; readonly errno: Errno | null }>> = {
  OK: { code: 0, errno: null }, IOERR: { code: 1, errno: 'EIO' }, UNSUPP: { code: 2, errno: 'ENOSYS' }, DEVERR: { code: 3, errno: 'EIO' },
  INVAL: { code: 4, errno: 'EINVAL' }, RANGE: { code: 5, errno: 'ERANGE' }, NOENT: { code: 6, errno: 'ENOENT' }, FAULT: { code: 7, errno: 'EFAULT' }, NOMEM: { code: 8, errno: 'ENOMEM' },
};

/** Flags of ATTACH: the domain is an identity domain. */
export const ATTACH_FLAG = { bypass: 1 } as const;
/** Flags of MAP. */
export const MAP_FLAG = { read: 1, write: 2, mmio: 4 } as const;

/** Reasons of fault events. */
export const REASON = { unknown: 0, domain: 1, mapping: 2 } as const;
/** Flags of fault events: what was not allowed, and that the address is valid. */
export const FAULT_FLAG = { read: 1, write: 2, exec: 4, address: 0x100 } as const;

/** Kinds of reserved memory in a PROBE reply. */
export const RESERVED_MEMORY = { reserved: 0, msi: 1 } as const;

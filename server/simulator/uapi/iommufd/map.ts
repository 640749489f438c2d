/** IOMMU_IOAS_MAP and its relatives, after their arguments are checked: IOP-20. */
import type { Permission, SubjectId } from '../../description.js';
import { Refusal } from '../../errno.js';
import { ADDRESS_MAX, hex, PAGE_SIZE, type Iova } from '../../memory/address.js';
import type { Process } from '../process.js';
import type { IommufdContext } from './context.js';
import { BufferMemory, DmaBuffer } from './dma-buffer.js';
import type { Ioas } from './ioas.js';
import { FileMemory, Pages, UserMemory } from './pages.js';

interface Mapping {
  readonly length: bigint;
  /** null: the kernel chooses. */
  readonly iova: bigint | null;
  readonly permission: Permission;
  readonly subject?: SubjectId;
}

export interface UserMapping extends Mapping {
  /** Virtual address in the process. */
  readonly va: bigint;
}

export interface FileMapping extends Mapping {
  /** File descriptor, and the offset in it. */
  readonly file: number;
  readonly start: bigint;
}

/** Steps 5 to 10 of IFD-18. @returns the first IOVA. @throws Refusal */
export function mapUserMemory(context: IommufdContext, ioas: Ioas, process: Process, mapping: UserMapping): Iova {
  const { va, length, iova, permission, subject } = mapping;
  checkMemoryRange(va, length, context.kernel.profile.iommufdSince613);
  const pages = new Pages(new UserMemory(process, va), process, permission.write, context.accountMode);
  return ioas.table.map([{ pages, offset: pages.offset, length }], { iova, permission, subject });
}

/** IFD-19. @returns the first IOVA. @throws Refusal EINVAL, EOVERFLOW, EBADF, then as for the memory of a process */
export function mapFile(context: IommufdContext, ioas: Ioas, process: Process, mapping: FileMapping): Iova {
  const { start, length, iova, permission, subject } = mapping;
  if (length === 0n) throw new Refusal('EINVAL', 'IFD-19', 'the length is 0');
  if (start + length - 1n > ADDRESS_MAX) throw new Refusal('EOVERFLOW', 'IFD-19', `offset ${hex(start)} size ${hex(length)} is beyond 64 bits`);
  const file = process.file(mapping.file);
  const source = file instanceof DmaBuffer ? new BufferMemory(file, start, length) : new FileMemory(file, start);
  const pages = new Pages(source, process, permission.write, context.accountMode);
  return ioas.table.map([{ pages, offset: pages.offset, length }], { iova, permission, subject });
}

/** Steps 5 and 6 of IFD-18; kernels before 6.13 ask in the other order. @throws Refusal EOVERFLOW, EINVAL */
function checkMemoryRange(va: bigint, length: bigint, wrapFirst: boolean): void {
  const wrap = (): void => {
    if (va + length > ADDRESS_MAX) throw new Refusal('EOVERFLOW', 'IFD-18', `the memory at ${hex(va)} size ${hex(length)} is beyond 64 bits`);
  };
  if (wrapFirst) wrap();
  if (length === 0n || length > ADDRESS_MAX - PAGE_SIZE) throw new Refusal('EINVAL', 'IFD-18', `a length of ${hex(length)} cannot be mapped`);
  wrap();
}

/** The IOAS calls of an iommufd, behind their structures' checks (IFD-11 .. IFD-22). */
import type { SubjectId } from '../../description.js';
import { Refusal } from '../../errno.js';
import { ADDRESS_MAX, hex, type AddressRange, type Iova } from '../../memory/address.js';
import type { Process } from '../process.js';
import type { IommufdContext } from './context.js';
import type { Envelope } from './dispatch.js';
import { Ioas } from './ioas.js';
import { mapFile, mapUserMemory } from './map.js';
import type { Pages } from './pages.js';

/** IOMMU_IOAS_MAP_*. */
export const MAP_FLAGS = { FIXED_IOVA: 1, WRITEABLE: 2, READABLE: 4 } as const;
/** `option_id` and `op` of IOMMU_OPTION. */
export const OPTION = { RLIMIT_MODE: 0, HUGE_PAGES: 1 } as const;
export const OPTION_OP = { SET: 0, GET: 1 } as const;
/** `op` of IOMMU_VFIO_IOAS. */
export const VFIO_IOAS_OP = { GET: 0, SET: 1, CLEAR: 2 } as const;

interface Placing extends Envelope {
  readonly length: bigint;
  /** With FIXED_IOVA, where; else ignored but for its range. */
  readonly iova?: bigint;
  /** The statement that maps; shown with the mapping. */
  readonly subject?: SubjectId;
}
export interface MapCall extends Placing {
  readonly ioas: number;
  readonly va: bigint;
}
export interface MapFileCall extends Placing {
  readonly ioas: number;
  /** File descriptor, and the offset in it. */
  readonly file: number;
  readonly start: bigint;
}
export interface CopyCall extends Placing {
  readonly source: number;
  readonly target: number;
  readonly sourceIova: bigint;
}
export interface UnmapCall extends Envelope {
  readonly ioas: number;
  readonly iova: bigint;
  readonly length: bigint;
}
export interface OptionCall extends Envelope {
  readonly option: number;
  readonly op: number;
  readonly object?: number;
  readonly value?: bigint;
}

const find = (context: IommufdContext, id: number): Ioas => context.objects.get(id, Ioas, 'an address space');

/** IFD-11. */
export const allocate = (context: IommufdContext): number => context.objects.add(new Ioas(context)).id;

/** IFD-14. */
export function allowIovas(context: IommufdContext, id: number, ranges: readonly AddressRange[]): void {
  find(context, id).table.space.allow(ranges);
}

/** IFD-15. @param room how many ranges the caller can take. @throws Refusal ENOENT, EMSGSIZE */
export function iovaRanges(context: IommufdContext, id: number, room: number): { ranges: readonly AddressRange[]; alignment: bigint } {
  const { table } = find(context, id);
  const ranges = table.space.usable();
  if (ranges.length > room) throw new Refusal('EMSGSIZE', 'IFD-15', `there are ${ranges.length} ranges and room for ${room}`);
  return { ranges, alignment: table.alignment };
}

/** IFD-18, steps 2 and 3; IFD-16, IFD-19 likewise. */
function checkPlacing({ flags = 0 }: Placing, rule: string, ...numbers: readonly bigint[]): void {
  const beyond = numbers.find((number) => number >= ADDRESS_MAX);
  if (beyond !== undefined) throw new Refusal('EOVERFLOW', rule, `${hex(beyond)} is no address or length`);
  if ((flags & (MAP_FLAGS.READABLE | MAP_FLAGS.WRITEABLE)) === 0) throw new Refusal('EINVAL', rule, 'neither READABLE nor WRITEABLE is asked for');
}

const placement = ({ flags = 0, iova = 0n, subject }: Placing) => ({
  iova: flags & MAP_FLAGS.FIXED_IOVA ? iova : null,
  permission: { read: (flags & MAP_FLAGS.READABLE) !== 0, write: (flags & MAP_FLAGS.WRITEABLE) !== 0 },
  subject,
});

/** IFD-18. @returns the first IOVA */
export function map(context: IommufdContext, process: Process, call: MapCall): Iova {
  checkPlacing(call, 'IFD-18', call.iova ?? 0n, call.length);
  return mapUserMemory(context, find(context, call.ioas), process, { va: call.va, length: call.length, ...placement(call) });
}

/** IFD-19. @returns the first IOVA */
export function mapFromFile(context: IommufdContext, process: Process, call: MapFileCall): Iova {
  checkPlacing(call, 'IFD-19', call.iova ?? 0n, call.length);
  return mapFile(context, find(context, call.ioas), process, { file: call.file, start: call.start, length: call.length, ...placement(call) });
}

/** IFD-16: the same pages again, elsewhere. @returns the first IOVA */
export function copy(context: IommufdContext, call: CopyCall): Iova {
  const { length, sourceIova } = call;
  checkPlacing(call, 'IFD-16', length, sourceIova, call.iova ?? 0n);
  const source = find(context, call.source);
  if (length === 0n) throw new Refusal('EINVAL', 'IFD-16', 'the length is 0');
  if (sourceIova + length - 1n > ADDRESS_MAX) throw new Refusal('EOVERFLOW', 'IFD-16', `IOVA ${hex(sourceIova)} size ${hex(length)} is beyond 64 bits`);
  const parts = source.table.cover(sourceIova, length, 'IFD-16').map(({ area, part }) => ({
    pages: area.value.pages, offset: area.value.offset + (part.start - area.start), length: part.last - part.start + 1n,
  }));
  return find(context, call.target).table.map(parts, placement(call));
}

/** IFD-20. @returns bytes removed */
export function unmap(context: IommufdContext, { ioas: id, iova, length }: UnmapCall): bigint {
  const { table } = find(context, id);
  if (iova === 0n && length === ADDRESS_MAX) return table.unmapAll();
  if (iova >= ADDRESS_MAX || length >= ADDRESS_MAX) throw new Refusal('EOVERFLOW', 'IFD-20', `IOVA ${hex(iova)} size ${hex(length)} is no range`);
  if (length === 0n) throw new Refusal('EINVAL', 'IFD-20', 'the length is 0');
  if (iova + length - 1n > ADDRESS_MAX) throw new Refusal('EOVERFLOW', 'IFD-20', `IOVA ${hex(iova)} size ${hex(length)} is beyond 64 bits`);
  const removed = table.unmap({ start: iova, last: iova + length - 1n });
  if (removed === 0n) throw new Refusal('ENOENT', 'IFD-20', `nothing is mapped in IOVA ${hex(iova)} size ${hex(length)}`);
  return removed;
}

/** IFD-12, IFD-13. @returns the value, as set or as read */
export function option(context: IommufdContext, process: Process, call: OptionCall): bigint {
  if (call.option === OPTION.RLIMIT_MODE) return rlimitMode(context, process, call);
  if (call.option !== OPTION.HUGE_PAGES) throw new Refusal('EOPNOTSUPP', 'IFD-12', `there is no option ${call.option}`);
  const { table } = find(context, call.object ?? 0);
  if (call.op === OPTION_OP.GET) return table.largePages ? 1n : 0n;
  if (call.op !== OPTION_OP.SET) throw new Refusal('EOPNOTSUPP', 'IFD-13', `there is no operation ${call.op}`);
  const value = call.value ?? 0n;
  if (value > 1n) throw new Refusal('EINVAL', 'IFD-13', `${value} is neither 0 nor 1`);
  table.setLargePages(value === 1n);
  return value;
}

function rlimitMode(context: IommufdContext, process: Process, { op, object = 0, value = 0n }: OptionCall): bigint {
  if (object !== 0) throw new Refusal('EOPNOTSUPP', 'IFD-12', 'the accounting mode belongs to the iommufd, not to an object');
  if (op === OPTION_OP.GET) return context.accountMode === 'mm' ? 1n : 0n;
  if (op !== OPTION_OP.SET) throw new Refusal('EOPNOTSUPP', 'IFD-12', `there is no operation ${op}`);
  if (!process.has('SYS_RESOURCE')) throw new Refusal('EPERM', 'IFD-12', `${process.name} has no CAP_SYS_RESOURCE`);
  if (context.objects.size > 0) throw new Refusal('EBUSY', 'IFD-12', 'the iommufd has objects already');
  if (value > 1n) throw new Refusal('EINVAL', 'IFD-12', `${value} is neither 0 (per user) nor 1 (per process)`);
  context.accountMode = value === 1n ? 'mm' : 'user';
  return value;
}

/** IFD-17. @returns the compatibility IOAS's id, 0 when there is none now */
export function vfioIoas(context: IommufdContext, op: number, id: number): number {
  if (op === VFIO_IOAS_OP.GET && context.compatIoas === null) throw new Refusal('ENODEV', 'IFD-17', 'the iommufd has no compatibility IOAS');
  if (op === VFIO_IOAS_OP.SET) context.compatIoas = find(context, id);
  else if (op === VFIO_IOAS_OP.CLEAR) context.compatIoas = null;
  else if (op !== VFIO_IOAS_OP.GET) throw new Refusal('EOPNOTSUPP', 'IFD-17', `there is no operation ${op}`);
  return context.compatIoas?.id ?? 0;
}

/** IFD-22: memory of a process cannot change hands, files can. @throws Refusal EINVAL, ENOMEM */
export function changeProcess(context: IommufdContext, process: Process): void {
  const all = new Set([...context.objects.all()].flatMap((object) => (object instanceof Ioas ? [...object.table.pages()] : [])));
  const stuck = [...all].find((pages) => !pages.source.movable);
  if (stuck !== undefined) throw new Refusal('EINVAL', 'IFD-22', `memory of ${stuck.process.name} is mapped, not a file`);
  const moved: { readonly pages: Pages; readonly from: Process }[] = [];
  try {
    for (const pages of all) {
      const from = pages.process;
      pages.chargeInstead(process);
      moved.push({ pages, from });
    }
  } catch (refusal) {
    for (const { pages, from } of moved) pages.chargeInstead(from);
    throw refusal;
  }
}

/** IOMMU_HWPT_INVALIDATE: user space changed what it keeps, so what is remembered of it must go (IFD-72). */
import type { IommuArchitectureName } from '../../description.js';
import { Refusal, type Errno } from '../../errno.js';
import { ADDRESS_MAX, PAGE_SIZE } from '../../memory/address.js';
import type { IommufdContext } from './context.js';
import { since, type Envelope } from './dispatch.js';
import { MOCK_CACHE_ENTRIES, MOCK_INVALIDATE_ALL, MOCK_IOTLB_ENTRIES, MOCK_VIOMMU_INVALIDATE } from './mock-constants.js';
import { mockCacheOf } from './mock-devices.js';
import { NestedHwpt } from './nested-hwpt.js';
import { INVALIDATE_DATA } from './user-data.js';
import { Viommu } from './viommu.js';

export interface InvalidateCall extends Envelope {
  /** A nested page table, or a vIOMMU. */
  readonly hwpt: number;
  readonly dataType?: number;
  /** Bytes of one entry. */
  readonly entryLength: number;
  readonly entries: number;
  /** The fields of each; those that are not given are 0. */
  readonly fields?: readonly Entry[];
  /** `data_uptr` is null. */
  readonly nullPointer?: boolean;
}

export type Entry = Readonly<Record<string, bigint>>;

/** What some errno leaves behind: entries before the bad one are done, and their number is written back. */
export class InvalidateRefusal extends Refusal {
  constructor(errno: Errno, why: string, readonly handled: number) {
    super(errno, 'IFD-72', `${why}; the kernel writes back that it handled ${handled}`);
  }
}

/** One driver's way with one entry. @returns why it is refused, or null */
type EntryHandler = (entry: Entry) => readonly [Errno, string] | null;

/** Bounds of a call, where anybody asks (IFD-99). */
const MOST_ENTRIES = 1 << 19;

/** @returns entries handled. @throws InvalidateRefusal */
export function invalidate(context: IommufdContext, call: InvalidateCall): number {
  const refuse = (errno: Errno, why: string): never => {
    throw new InvalidateRefusal(errno, why, 0);
  };
  const { profile } = context.kernel;
  if (call.entries > 0 && (call.nullPointer || call.entryLength === 0)) refuse('EINVAL', 'entries without length or place');
  if (since(profile, 'bounds') && (call.entryLength > Number(PAGE_SIZE) || call.entries > MOST_ENTRIES)) refuse('EINVAL', 'that is more than the kernel looks at');
  const object = context.objects.find(call.hwpt);
  if (object instanceof NestedHwpt) return handleAll(call, nestedLayout(object), nestedHandler(object));
  if (object instanceof Viommu) return handleAll(call, MOCK_VIOMMU_INVALIDATE, (entry) => mockDeviceCache(object, entry));
  return refuse(object === undefined || !profile.iommufdSince613 ? 'ENOENT' : 'EINVAL', `${call.hwpt} is not a nested page table`);
}

function nestedLayout({ domain }: NestedHwpt) {
  const layout = INVALIDATE_DATA[domain.unit.description.architecture];
  if (layout === undefined) throw new InvalidateRefusal('EOPNOTSUPP', `the driver of ${domain.unit.description.name} invalidates nothing for users`, 0);
  return layout;
}

function handleAll({ dataType = 0, entryLength, entries, fields = [] }: InvalidateCall, layout: { readonly type: number; readonly size: number }, handle: EntryHandler): number {
  if (dataType !== layout.type) throw new InvalidateRefusal('EINVAL', `the driver knows no data of type ${dataType}`, 0);
  if (entries > 0 && entryLength !== layout.size) throw new InvalidateRefusal('EINVAL', `an entry has ${layout.size} bytes, not ${entryLength}`, 0);
  for (let i = 0; i < entries; i++) {
    const wrong = handle(fields[i] ?? {});
    if (wrong !== null) throw new InvalidateRefusal(wrong[0], wrong[1], i);
  }
  return entries;
}

const HANDLERS: Readonly<Partial<Record<IommuArchitectureName, (hwpt: NestedHwpt, entry: Entry) => ReturnType<EntryHandler>>>> = { vtd: vtdEntry, mock: mockEntry };

const nestedHandler = (hwpt: NestedHwpt): EntryHandler => (entry) => HANDLERS[hwpt.domain.unit.description.architecture]?.(hwpt, entry) ?? null;

/** IOMMU_VTD_INV_FLAGS_LEAF */
const VTD_LEAF = 1n;

/** `struct iommu_hwpt_vtd_s1_invalidate`: `pages` of all ones means everything, from address 0. */
function vtdEntry({ domain }: NestedHwpt, { address = 0n, pages = 0n, flags = 0n, reserved = 0n }: Entry): ReturnType<EntryHandler> {
  if ((flags & ~VTD_LEAF) !== 0n || reserved !== 0n) return ['EOPNOTSUPP', `flags ${flags} are unknown`];
  if (address % PAGE_SIZE !== 0n || (pages === ADDRESS_MAX && address !== 0n)) return ['EINVAL', 'the range is not made of pages'];
  if (pages === ADDRESS_MAX) domain.forget();
  else if (pages > 0n) domain.invalidate(address, pages * PAGE_SIZE);
  return null;
}

/** CNF-04: four numbers that stand for an IOTLB. */
function mockEntry({ mockEntries }: NestedHwpt, { flags = 0n, iotlb = 0n }: Entry): ReturnType<EntryHandler> {
  if ((flags & ~MOCK_INVALIDATE_ALL) !== 0n) return ['EOPNOTSUPP', `flags ${flags} are unknown`];
  if (iotlb >= BigInt(MOCK_IOTLB_ENTRIES)) return ['EINVAL', `there is no IOTLB entry ${iotlb}`];
  if (flags === MOCK_INVALIDATE_ALL) mockEntries.fill(0);
  else mockEntries[Number(iotlb)] = 0;
  return null;
}

/** CNF-04: the cache of a device, by its number on the vIOMMU. */
function mockDeviceCache({ devices }: Viommu, { flags = 0n, device = 0n, cache = 0n }: Entry): ReturnType<EntryHandler> {
  if ((flags & ~MOCK_INVALIDATE_ALL) !== 0n) return ['EOPNOTSUPP', `flags ${flags} are unknown`];
  if (cache >= BigInt(MOCK_CACHE_ENTRIES)) return ['EINVAL', `there is no cache entry ${cache}`];
  const found = devices.get(device);
  if (found === undefined) return ['EINVAL', `the vIOMMU has no device ${device}`];
  const entries = mockCacheOf(found.bound.device);
  if (flags === MOCK_INVALIDATE_ALL) entries.fill(0);
  else entries[Number(cache)] = 0;
  return null;
}

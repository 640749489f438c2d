/** A host: kernel, memory, IOMMU units, devices outside of the fabric, reserved regions, bindings. */
import {
  EMBEDDED_IOMMUS, type FirmwareKind, type GroupingName, type HostDescription, type IoasidModelName, type IommuArchitectureName, type IommuDescription, type KernelDescription, type MediatedDeviceDescription, type MediatedKind, type PlatformDeviceDescription,
  type ReservedRegionDescription, type ReservedType, type SubjectId,
} from '../../server/simulator/description.js';
import type { AddressRange, Iova, PhysicalAddress } from '../../server/simulator/memory/address.js';
import { registerNamed } from '../../server/simulator/hardware/register-map.js';
import * as ast from '../generated/ast.js';
import { address, rangeOf, type Context } from './context.js';
import { driverOf, lowerFunctions, nameFunctions } from './fabric.js';
import { amountOf } from '../names.js';
import { smallNumber } from '../numbers.js';
import { Properties, unquoted } from './values.js';

/** A host with everything that counts as its own: also statements that a lost brace left behind it. */
export interface HostSource {
  /** The file, when its items stand in no host at all. */
  readonly node: ast.Host | ast.File;
  readonly items: readonly ast.HostItem[];
  readonly bindings: readonly ast.Binding[];
}

export const ARCHITECTURES: Readonly<Record<string, IommuArchitectureName>> = {
  'vtd': 'vtd', 'amd-vi': 'amd-vi', 'smmuv3': 'smmuv3', 'riscv': 'riscv-iommu', 'riscv-iommu': 'riscv-iommu', 'virtio-iommu': 'virtio-iommu',
  ...Object.fromEntries(EMBEDDED_IOMMUS.map((name) => [name, name])),
};
export const FIRMWARE_KINDS: readonly FirmwareKind[] = ['acpi', 'device-tree'];
export const CPU_VENDORS = ['intel', 'amd', 'arm', 'other', 'unknown'] as const;
export const GROUPINGS: readonly GroupingName[] = ['classic', '2025-rework'];
export const IOASID_MODELS: readonly IoasidModelName[] = ['released', 'sets-2021'];
export const MEDIATED_KINDS: readonly MediatedKind[] = ['software', 'software-no-dma', 'parent-aux', 'parent-rid'];
export const RESERVED_TYPES: readonly ReservedType[] = ['direct', 'direct-relaxable', 'reserved', 'msi', 'software-msi'];

/** The member of `allowed` that `word` is, else `usual`. */
const oneOf = <T extends string>(allowed: readonly T[], word: string | undefined, usual: T): T => allowed.find((it) => it === word) ?? usual;

const nameOf = (node: HostSource['node']): string => (ast.isHost(node) ? node.name : undefined) ?? 'host';

/** Gives the host and its devices their identities. */
export function nameHost(context: Context, { node, items }: HostSource): SubjectId {
  const id = context.name(node, nameOf(node));
  for (const item of items) {
    if (!ast.isIommu(item) && !ast.isPlatformDevice(item) && !ast.isMediatedDevice(item)) continue;
    context.belongs(context.name(item, `${id}/${item.name ?? 'device'}`), id);
  }
  nameFunctions(context, id, id, items);
  return id;
}

export function lowerHost(context: Context, source: HostSource): HostDescription {
  const { node, items, bindings } = source;
  const id = context.idOf(node)!;
  const kernel = lowerKernel(context, id, source);
  const firmware = FIRMWARE_KINDS.find((kind) => kind === items.find(ast.isFirmware)?.kind);
  return {
    id, name: nameOf(node), kernel,
    ...(firmware === undefined ? {} : { firmware }),
    memory: lowerMemory(items),
    iommus: items.filter(ast.isIommu).map((unit) => withRegisters(context, unit, lowerUnit(context, unit, kernel))),
    functions: lowerFunctions(context, items),
    platformDevices: items.filter(ast.isPlatformDevice).map((device) => lowerPlatform(context, device)),
    mediatedDevices: items.filter(ast.isMediatedDevice).flatMap((device) => lowerMediated(context, device)),
    reservedRegions: items.filter(ast.isReservedRegion).flatMap((region) => lowerReserved(context, id, region)),
    ...(items.some(ast.isWords) ? { words: items.filter(ast.isWords).flatMap((words) => lowerWords(context, id, words)) } : {}),
    ...(items.some(ast.isDmaRanges) ? { dmaRanges: items.filter(ast.isDmaRanges).flatMap(({ ranges }) => ranges).flatMap((range) => rangeOf<Iova>(range) ?? []) } : {}),
    bindings: bindings.flatMap((binding) => lowerBinding(context, id, binding)),
  };
}

function lowerKernel(context: Context, host: SubjectId, { node, items }: HostSource): KernelDescription {
  const kernel = items.find(ast.isKernel);
  const clauses = kernel?.clauses ?? [];
  const grouping = clauses.findLast(ast.isGrouping)?.algorithm;
  const ioasid = ioasidModel(clauses);
  const vendor = oneOf(CPU_VENDORS, items.find(ast.isCpu)?.vendor, 'unknown');
  return {
    id: context.book.add(`${host}/kernel`, kernel ?? node),
    version: kernel?.version ?? '',
    commandLine: clauses.filter(ast.isCommandLine).map((clause) => clause.text ?? '').join(' '),
    buildOptions: clauses.filter(ast.isBuildOptions).flatMap((clause) => clause.options.map((option) => option.replace(/\s+/g, ''))),
    moduleParameters: clauses.filter(ast.isModuleParameters).flatMap((clause) => clause.parameters),
    ...(grouping === undefined ? {} : { grouping: oneOf(GROUPINGS, grouping, 'classic') }),
    ...(ioasid === undefined ? {} : { ioasid }),
    cpuVendor: vendor === 'unknown' ? vendorByUnit(items) : vendor,
  };
}

/** The model that a clause of a kernel or a scenario chooses; the last one counts. */
export function ioasidModel(clauses: readonly (ast.KernelClause | ast.ScenarioClause)[]): IoasidModelName | undefined {
  const chosen = clauses.findLast(ast.isIoasidChoice)?.model;
  return IOASID_MODELS.find((model) => model === chosen);
}

/** Intel's unit stands beside Intel's processor, AMD's beside AMD's; nothing else is certain. */
function vendorByUnit(items: readonly ast.HostItem[]): KernelDescription['cpuVendor'] {
  const architectures = new Set(items.filter(ast.isIommu).map((unit) => unit.architecture));
  if (architectures.has('vtd')) return 'intel';
  if (architectures.has('amd-vi')) return 'amd';
  return architectures.has('smmuv3') ? 'arm' : 'unknown';
}

/** Ascending and disjoint; neighbours and overlaps are joined. */
function lowerMemory(items: readonly ast.HostItem[]): AddressRange<PhysicalAddress>[] {
  const ranges = items.filter(ast.isHostMemory).flatMap((memory) => memory.ranges).flatMap((range) => rangeOf<PhysicalAddress>(range) ?? []);
  const joined: AddressRange<PhysicalAddress>[] = [];
  for (const range of ranges.sort((a, b) => (a.start < b.start ? -1 : 1))) {
    const before = joined.at(-1);
    if (before === undefined || range.start > before.last + 1n) joined.push(range);
    else if (range.last > before.last) joined[joined.length - 1] = { start: before.start, last: range.last };
  }
  return joined;
}

const ascending = <T extends number | bigint>(values: readonly T[]): T[] => [...new Set(values)].sort((a, b) => (a < b ? -1 : 1));

function lowerUnit(context: Context, node: ast.Iommu, kernel: KernelDescription): IommuDescription {
  const properties = new Properties('iommu', node.properties);
  const covers = node.properties.filter(ast.isCovers);
  const architecture = ARCHITECTURES[node.architecture ?? ''] ?? (kernel.cpuVendor === 'amd' ? 'amd-vi' : 'vtd');
  return {
    id: context.idOf(node)!, name: node.name ?? 'iommu', architecture,
    segment: properties.number('segment') ?? 0,
    covers: covers.length === 0 || covers.some((it) => it.rest) ? 'rest' : covers.flatMap((it) => context.deviceIds(it.devices)),
    ...(covers.some((it) => it.except.length > 0) ? { except: covers.flatMap((it) => context.deviceIds(it.except)) } : {}),
    addressWidth: properties.number('address-width'), physicalWidth: properties.number('physical-width'),
    levels: properties.has('levels') ? ascending(properties.integers('levels').map(Number)) : undefined,
    pageSizes: properties.has('page-sizes') ? ascending(properties.integers('page-sizes')) : undefined,
    interruptRemapping: properties.statedFlag('interrupt-remapping') ?? isolatesInterrupts(architecture, kernel), coherent: properties.flag('coherent'), snoopControl: properties.flag('snoop-control'),
    scalableMode: properties.flag('scalable-mode'), firstStage: properties.flag('first-stage'), nested: properties.flag('nested'),
    dirtyTracking: properties.flag('dirty-tracking'), passThrough: properties.flag('pass-through'), cachingMode: properties.flag('caching-mode'),
    deviceTlb: properties.flag('ats'), pageRequests: properties.flag('pri'), pasidBits: properties.number('pasid') ?? 0,
    ...lowerIds(node, properties),
  };
}

/** A virtio-iommu remaps no interrupts: on Arm the interrupt controller isolates them, on a PC nobody does (GRD-10). */
const isolatesInterrupts = (architecture: IommuArchitectureName, { cpuVendor }: KernelDescription): boolean => architecture !== 'virtio-iommu' || cpuVendor === 'arm';

/** Registers that the architecture has not are left out: a check has told. */
function withRegisters(context: Context, node: ast.Iommu, unit: IommuDescription): IommuDescription {
  const registers = node.properties.filter(ast.isRegister).flatMap((register) => {
    const name = registerNamed(unit.architecture, register.register ?? '')?.name;
    const value = address(register.value);
    return name === undefined || value === undefined ? [] : [{ id: context.book.add(`${unit.id}/${name}`, register), name, value }];
  });
  return registers.length === 0 ? unit : { ...unit, registers };
}

/** Words that are no 64-bit numbers count as 0, so that the others keep their places. */
function lowerWords(context: Context, host: SubjectId, node: ast.Words): NonNullable<HostDescription['words']>[number][] {
  const first = address(node.address);
  if (first === undefined || first % 8n !== 0n) return [];
  return [{ id: context.book.add(`${host}/words`, node), address: first as PhysicalAddress, values: node.values.map((value) => address(value) ?? 0n) }];
}

type Ids = Pick<IommuDescription, 'idMaps' | 'idMapMask' | 'streamMask' | 'idGroups' | 'acpiDevices' | 'withoutDriver' | 'endpointsTogether'>;

/** How the unit knows its devices; what is not said is left out. */
function lowerIds(node: ast.Iommu, properties: Properties): Ids {
  const maps = node.properties.filter(ast.isIdMap);
  const groups = node.properties.filter(ast.isIdGroup);
  const acpi = node.properties.filter(ast.isAcpiDevice);
  return {
    ...(maps.length === 0 ? {} : { idMaps: maps.flatMap(lowerIdMap) }),
    ...(properties.has('id-map-mask') ? { idMapMask: properties.number('id-map-mask') } : {}),
    ...(properties.has('stream-mask') ? { streamMask: properties.number('stream-mask') } : {}),
    ...(groups.length === 0 ? {} : { idGroups: groups.map((group) => ({ name: group.name ?? 'group', ids: group.ids.flatMap((id) => smallNumber(amountOf(id), U32) ?? []) })) }),
    ...(acpi.length === 0 ? {} : { acpiDevices: acpi.flatMap(lowerAcpiDevice) }),
    ...(properties.text('driver') === 'none' ? { withoutDriver: true } : {}),
    ...(properties.flag('endpoints-together') ? { endpointsTogether: true } : {}),
  };
}

const U32 = 0xffff_ffff;

function lowerIdMap({ range, base }: ast.IdMap): NonNullable<IommuDescription['idMaps']>[number][] {
  const ids = rangeOf(range);
  const to = smallNumber(amountOf(base), U32);
  return ids === undefined || to === undefined || ids.last > 0xffffn ? [] : [{ first: Number(ids.start), last: Number(ids.last), to }];
}

function lowerAcpiDevice({ hid, uid, deviceId }: ast.AcpiDevice): NonNullable<IommuDescription['acpiDevices']>[number][] {
  const id = smallNumber(amountOf(deviceId), 0xffff);
  return hid === undefined || id === undefined ? [] : [{ hid: unquoted(hid), ...(uid === undefined ? {} : { uid: unquoted(uid) }), deviceId: id }];
}

function lowerPlatform(context: Context, node: ast.PlatformDevice): PlatformDeviceDescription {
  const properties = new Properties('platform', node.properties);
  const units = node.properties.filter(ast.isTranslatedBy).flatMap((named) => context.idOf(named.unit?.ref) ?? []);
  const ranges = [node.at, ...node.properties.filter(ast.isResource).map((resource) => resource.range)];
  return {
    id: context.idOf(node)!, name: node.name ?? 'device',
    streamIds: properties.integers('streams').filter((id) => id <= 0xffff_ffffn).map(Number),
    iommu: units[0],
    ...(units.length > 1 ? { furtherIommus: units.slice(1) } : {}),
    ...(properties.has('hid') ? { hid: properties.text('hid'), uid: properties.text('uid') } : {}),
    ...(properties.has('container') ? { container: properties.text('container') } : {}),
    driver: driverOf(properties),
    resources: ranges.flatMap((range) => rangeOf<PhysicalAddress>(range) ?? []),
  };
}

function lowerMediated(context: Context, node: ast.MediatedDevice): MediatedDeviceDescription[] {
  const parent = context.deviceId(node.parent?.device);
  if (parent === undefined) return [];
  const properties = new Properties('mdev', node.properties);
  const instances = properties.number('instances');
  return [{ id: context.idOf(node)!, name: node.name ?? 'mdev', kind: oneOf(MEDIATED_KINDS, node.kind, 'software'), parent, typeName: properties.text('type'), ...(instances !== undefined && { instances: Number(instances) }) }];
}

function lowerReserved(context: Context, host: SubjectId, node: ast.ReservedRegion): ReservedRegionDescription[] {
  const range = rangeOf(node.range);
  const devices = context.deviceIds(node.devices);
  if (range === undefined || devices.length < node.devices.length) return [];
  return [{ id: context.book.add(`${host}/reserved`, node), range, type: oneOf(RESERVED_TYPES, node.type, 'reserved'), devices }];
}

function lowerBinding(context: Context, host: SubjectId, node: ast.Binding): HostDescription['bindings'][number][] {
  const { driver } = node;
  if (driver === undefined) return [];
  return context.deviceIds(node.devices).map((device) => ({ id: context.book.add(`${host}/bind/${device.split('/').at(-1)}`, node), device, driver }));
}

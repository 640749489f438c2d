/** The kernel's devices, made from the description of a host. */
import type { FunctionDescription, HostDescription, MediatedDeviceDescription, PlatformDeviceDescription, SubjectId } from '../description.js';
import { indexBy } from '../fabric/multimap.js';
import { addressText } from '../fabric/pci-address.js';
import type { IommuUnit } from '../hardware/architecture.js';
import type { Device, ReservedRegion } from './core.js';

/** What the fabric, the units and the firmware say about a device. */
export interface DeviceFacts {
  unitOf(subject: SubjectId): IommuUnit | null;
  /** Own requester ID first, then every alias (PCIE-07). */
  requesterIds(subject: SubjectId): readonly number[];
  reservedRegions(subject: SubjectId): readonly ReservedRegion[];
  /** Below an external-facing port (DOM-22). */
  untrusted(subject: SubjectId): boolean;
}

/** All devices that exist at boot: functions, platform devices. No driver yet, and in no group. */
export function bootDevices(host: HostDescription, facts: DeviceFacts): Device[] {
  const physical = physicalFunctions(host.functions);
  return [
    ...host.functions.map((description) => pciDevice(description, pasidBits(description, physical), facts)),
    ...host.platformDevices.map((description) => platformDevice(description, facts)),
  ];
}

/** Those that have virtual ones. */
function physicalFunctions(functions: readonly FunctionDescription[]): ReadonlyMap<SubjectId, FunctionDescription> {
  const named = new Set<SubjectId>();
  for (const { virtualFunction } of functions) if (virtualFunction !== undefined) named.add(virtualFunction.of);
  return indexBy(functions.filter(({ id }) => named.has(id)), ({ id }) => id);
}

/** PAS-11: virtual functions use the capability of their physical function. */
const pasidBits = (description: FunctionDescription, physical: ReadonlyMap<SubjectId, FunctionDescription>): number =>
  (physical.get(description.virtualFunction?.of ?? '') ?? description).pasidBits;

function pciDevice(description: FunctionDescription, bits: number, facts: DeviceFacts): Device {
  const name = addressText(description.address);
  return { ...common(description.id, name, facts), bus: 'pci', kind: 'pci', description, pasidBits: bits, driverOverride: description.driverOverride ?? null };
}

function platformDevice(description: PlatformDeviceDescription, facts: DeviceFacts): Device {
  return { ...common(description.id, description.name, facts), bus: 'platform', kind: 'platform', description, driverOverride: null };
}

/** MDV-20: a mediated device has no requester ID and no unit of its own. */
export function mediatedDevice(description: MediatedDeviceDescription, parent: Device): Device {
  return {
    subject: description.id, name: description.name, bus: 'mdev', kind: 'mdev', description, parent,
    group: null, driver: null, driverOverride: null, unit: null, requesterIds: [], reservedRegions: [], requireDirect: false, busMaster: true,
  };
}

function common(subject: SubjectId, name: string, facts: DeviceFacts) {
  const reservedRegions = facts.reservedRegions(subject);
  return {
    subject, name, group: null, driver: null,
    unit: facts.unitOf(subject),
    requesterIds: facts.requesterIds(subject),
    reservedRegions,
    requireDirect: reservedRegions.some((region) => region.type === 'direct'), // RSV-43
    untrusted: facts.untrusted(subject),
    busMaster: true,
  };
}

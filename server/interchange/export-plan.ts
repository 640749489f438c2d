/** What an owner's set-up wants of the host: which functions go to which VFIO driver, and in which order cards appear. */
import type { FunctionDescription, HostDescription, OwnerDescription, OwnerMemory, SubjectId } from '../simulator/description.js';
import { isVfioDriver } from '../simulator/kernel/drivers.js';
import { detachesDevices } from '../simulator/scenario/programs/libvirt.js';
import type { GroupReport } from '../simulator/report.js';
import { formatAddress } from './pci-address.js';

/** An owner whose simulation went well. */
export interface ExportSubject {
  readonly host: HostDescription;
  readonly owner: OwnerDescription;
  /** As the simulation formed them. */
  readonly groups: readonly GroupReport[];
}

export interface Exported {
  readonly text: string;
  /** What the description says and the target cannot, or what the target needs and the description does not say; a sentence each. */
  readonly notes: readonly string[];
}

/** A function and the driver that it is bound to when the owner starts. */
export interface BoundFunction {
  readonly fn: FunctionDescription;
  readonly driver: string;
}

export interface ExportPlan extends ExportSubject {
  /** PCI functions that the owner gets, in its order. */
  readonly assigned: readonly BoundFunction[];
  /** These, and the other members of their groups that a VFIO driver or pci-stub holds. */
  readonly bound: readonly BoundFunction[];
  /** Assigned devices that are no PCI functions, by name. */
  readonly others: readonly { readonly name: string; readonly kind: 'mdev' | 'platform' }[];
}

const isHeld = (driver: string | null): driver is string => isVfioDriver(driver) || driver === 'pci-stub';

export function planExport(subject: ExportSubject): ExportPlan {
  const { host, owner, groups } = subject;
  const functions = new Map(host.functions.map((fn) => [fn.id, fn]));
  const driverOf = (id: SubjectId): string | null => host.bindings.findLast((binding) => binding.device === id)?.driver ?? functions.get(id)?.driver ?? null;
  const devices = new Set(owner.assigned.map(({ device }) => device));
  const withDriver = (id: SubjectId): BoundFunction[] => {
    const fn = functions.get(id);
    const now = driverOf(id);
    // libvirt takes what is assigned and managed from its driver, whatever that is.
    const driver = detachesDevices(owner) && devices.has(id) && !isVfioDriver(now) ? 'vfio-pci' : now;
    return fn === undefined || !isHeld(driver) ? [] : [{ fn, driver }];
  };
  const companions = groups.filter((group) => group.members.some((member) => devices.has(member))).flatMap((group) => group.members);
  const named = (kind: 'mdev' | 'platform', all: readonly { readonly id: SubjectId; readonly name: string }[]) => all.filter((each) => devices.has(each.id)).map(({ name }) => ({ name, kind }));
  return {
    ...subject,
    assigned: [...devices].flatMap(withDriver),
    bound: [...new Set([...devices, ...companions])].flatMap(withDriver),
    others: [...named('mdev', host.mediatedDevices), ...named('platform', host.platformDevices)],
  };
}

/** "gpu 0000:01:00.0". */
export const titleOf = ({ name, address }: FunctionDescription): string => `${name} ${formatAddress(address)}`;

/** Assigned functions by the card that they are on, in the order of the first of each. */
export function cardsOf({ assigned }: ExportPlan): readonly (readonly BoundFunction[])[] {
  const cards = new Map<string, BoundFunction[]>();
  for (const each of assigned) {
    const { segment, bus, device } = each.fn.address;
    // Virtual functions are cards of their own: they have no function 0 beside them.
    const key = each.fn.virtualFunction === undefined ? `${segment}:${bus}:${device}` : each.fn.id;
    cards.set(key, [...(cards.get(key) ?? []), each]);
  }
  return [...cards.values()];
}

/** Whether two members of one group are assigned and the guest has an IOMMU: they must share a guest address space. */
export function sharedGroups({ assigned, groups, owner }: ExportPlan): ReadonlySet<number> {
  if (owner.virtualIommu !== true) return new Set();
  const ids = new Set(assigned.map(({ fn }) => fn.id));
  return new Set(groups.filter((group) => group.members.filter((member) => ids.has(member)).length > 1).map((group) => group.number));
}

export const groupOf = ({ groups }: ExportPlan, fn: FunctionDescription): number | undefined => groups.find((group) => group.members.includes(fn.id))?.number;

/** The VM's memory as one size, with what such a VM cannot be told. */
export function memoryOf({ owner }: ExportPlan): { readonly size: bigint; readonly first: OwnerMemory | undefined; readonly notes: readonly string[] } {
  const size = owner.memory.reduce((sum, memory) => sum + memory.size, 0n);
  const notes = [
    ...(owner.memory.length > 1 ? [`The ${owner.memory.length} memories of ${owner.name} become one of their total size.`] : []),
    ...owner.memory.flatMap((memory) => (memory.at === undefined ? [] : [`The place of memory ${memory.name} in the guest cannot be chosen.`])),
    ...owner.memory.flatMap((memory) => (memory.kind === 'read-only' || memory.kind === 'device' || memory.kind === 'file' ? [`Memory ${memory.name} is ${memory.kind}; what is behind it is not described.`] : [])),
  ];
  return { size, first: owner.memory[0], notes };
}

/** Notes about devices that have no name that survives in a file. */
export const leftOut = ({ others }: ExportPlan): string[] => others.map(({ name, kind }) => (kind === 'mdev'
  ? `${name} is left out: a mediated device is named by its UUID, which the description does not know.`
  : `${name} is left out: it is a platform device, which has a path of its own below /sys/bus/platform.`));

/** Of targets that bind devices at boot, for owners that need none of it. */
export const boundByLibvirt = ({ owner }: ExportPlan): string[] =>
  (detachesDevices(owner) ? [`libvirt binds the assigned devices itself when ${owner.name} starts (managed='yes'); this is for having them bound from boot on.`] : []);

/** PCI addresses are those of the described host. */
export const ADDRESSES_MOVE = 'The addresses are those of the described host: after adding or moving a card, compare them with lspci -D.';

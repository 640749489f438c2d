/**
 * The moments in the life of a device that decide what translates its DMA, read off the objects before and after a call
 * (SBS-01 .. SBS-05). Each says what it means in either interface, with the rules.
 */
import type { KernelProfile } from '../../simulator/kernel/profile.js';
import type { ObjectGraph, ObjectLink, ObjectNode } from '../../simulator/object-graph.js';
import type { GraphChange } from './graph-changes.js';
import type { Model } from './models.js';

export type MomentKind = 'owned' | 'blocked' | 'domain' | 'default' | 'external' | 'emulated' | 'hint' | 'access' | 'space' | 'pasid' | 'pins';

export interface Moment {
  readonly kind: MomentKind;
  /** Identities of the devices in the graph. */
  readonly devices: readonly string[];
  /** The object that came into play, as it is called. */
  readonly object: string;
}

interface Words {
  /** A clause without its subject: "takes DMA ownership of the group". */
  readonly says: string;
  readonly rules: readonly string[];
}

const isOld = (profile: KernelProfile): boolean => profile.ownership === 'viability';

/** What each moment is, in the words of the interface. */
const WORDS: Readonly<Record<MomentKind, (model: Model, profile: KernelProfile) => Words>> = {
  owned: ({ uapi }) => ({ says: uapi === 'type1' ? 'takes DMA ownership of the group for the container’s user' : 'takes DMA ownership of the group for the iommufd', rules: [uapi === 'type1' ? 'OWN-04' : 'OWN-05', 'SBS-01'] }),
  blocked: () => ({ says: 'blocks the group: until something is attached, all its DMA faults', rules: ['OWN-30', 'CDV-07'] }),
  domain: ({ uapi }, profile) =>
    uapi !== 'type1' ? { says: 'allocates a domain for this device, as its IOMMU driver makes them', rules: ['IFD-41', 'IFD-61', 'SBS-01'] }
    : isOld(profile) ? { says: 'allocates a domain by the bus of the group, not by the device, and attaches the group', rules: ['VFT-10', 'VFT-12', 'SBS-01'] }
    : { says: 'allocates a domain for the first device of the group and attaches the group', rules: ['VFT-15', 'SBS-01'] },
  default: () => ({ says: 'gives the group back to the domain of the kernel', rules: ['OWN-30', 'OLD-08'] }),
  external: () => ({ says: 'puts the group into an external domain, which has no iommu_domain: nothing is allocated, checked or mapped', rules: ['VFT-11', 'VFT-25', 'SBS-02'] }),
  emulated: () => ({ says: 'notes the group in a list of emulated ones: no domain, and no pretence of one', rules: ['VFT-15', 'VFT-16', 'SBS-02'] }),
  hint: () => ({ says: 'follows the hint that the driver left on the mediated device, and attaches the domain to its parent', rules: ['VFT-11', 'SBS-03', 'SBS-04'] }),
  access: () => ({ says: 'makes an access object, because the driver registered the device as emulated', rules: ['ACC-01', 'CDV-08', 'SBS-02'] }),
  space: () => ({ says: 'lets the driver read the address space; still no domain', rules: ['ACC-02', 'SBS-02'] }),
  pasid: ({ uapi }) => (uapi === 'type1' ? { says: 'attaches the domain to one PASID of the parent, which nobody asked for by number', rules: ['VFT-12', 'SBS-03'] } : { says: 'attaches a page table to the PASID that the caller chose', rules: ['PAS-01', 'PAS-02', 'SBS-03'] }),
  pins: ({ uapi }) => (uapi === 'type1' ? { says: 'pins pages that the driver looked up in the records of the container', rules: ['VFT-71', 'SBS-02'] } : { says: 'pins pages of the address space through the access', rules: ['ACC-10', 'ACC-12', 'SBS-02'] }),
};

export const wordsOf = (moment: MomentKind, model: Model, profile: KernelProfile): Words => WORDS[moment](model, profile);

/** What a moment is called when nothing of the kind happens on the other side. */
export const MOMENT_NAMES: Readonly<Record<MomentKind, string>> = {
  owned: 'Ownership of DMA', blocked: 'Blocking', domain: 'A domain', default: 'The default domain', external: 'A domain that is none', emulated: 'A list of emulated groups', hint: 'A hint from driver to container',
  access: 'An access object', space: 'An address space for the driver', pasid: 'A PASID', pins: 'Pinned pages',
};

/** Moments of one change. */
export function momentsOf(change: GraphChange, after: ObjectGraph): Moment[] {
  const nodes = new Map(after.nodes.map((node) => [node.id, node]));
  const members = new Map<string, string[]>();
  for (const { from, to, label } of after.links) if (label === 'member of' && nodes.get(to)?.kind === 'group') (members.get(to) ?? members.set(to, []).get(to)!).push(from);
  return change.newLinks.flatMap((link): Moment[] => {
    const kind = kindOf(link, nodes.get(link.from), nodes.get(link.to));
    if (kind === null) return [];
    return [{ kind, devices: devicesOf(link, nodes, members, after), object: nodes.get(link.to)?.label ?? '' }];
  });
}

function kindOf({ label, fake }: ObjectLink, from: ObjectNode | undefined, to: ObjectNode | undefined): MomentKind | null {
  if (from === undefined || to === undefined) return null;
  if (/^PASID \d+ (translates through|attached to)/.test(label)) return from.kind === 'group' ? null : 'pasid';
  if (from.kind === 'group' && to.kind === 'domain') return fake ? 'external' : domainMoment(to);
  if (from.kind === 'group' && label === 'owned by') return 'owned';
  if (label === 'lists as emulated') return 'emulated';
  if (label === 'attached by its hint to') return 'hint';
  if (to.kind === 'access') return from.kind === 'mdev' ? 'access' : null;
  if (label.startsWith('pins ')) return 'pins';
  return from.kind === 'access' && to.kind === 'ioas' ? 'space' : null;
}

function domainMoment({ id, facts }: ObjectNode): MomentKind {
  if (id === 'domain:blocked') return 'blocked';
  const type = facts.find(([name]) => name === 'type')?.[1];
  const name = facts.find(([key]) => key === 'name')?.[1] ?? '';
  if (type !== 'unmanaged' && type !== 'nested') return 'default';
  return /\bblock/i.test(name) ? 'blocked' : 'domain';
}

/** The devices whose translation a link is about: members of a group, or the device at one of its ends. */
function devicesOf({ from, to }: ObjectLink, nodes: ReadonlyMap<string, ObjectNode>, members: ReadonlyMap<string, readonly string[]>, { links }: ObjectGraph): readonly string[] {
  const isDevice = (id: string): boolean => nodes.get(id)?.kind === 'device' || nodes.get(id)?.kind === 'mdev';
  for (const end of [from, to]) {
    const group = members.get(end);
    if (group !== undefined) return group;
  }
  // The mediated device itself comes before the parent that it borrows.
  const mediated = [from, to].flatMap((end) => links.filter((link) => link.from === end && link.label === 'stands for').flatMap((link) => members.get(link.to) ?? []));
  if (mediated.length > 0) return mediated;
  const direct = [from, to].filter(isDevice);
  if (direct.length > 0) return direct;
  return links.filter((link) => link.to === from && link.label === 'uses').map((link) => link.from);
}

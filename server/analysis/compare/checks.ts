/**
 * The questions that both interfaces ask somewhere, and where each of them does (7.3 of the specification: SBS-01 .. SBS-05):
 * which call, of which devices, with which errno, by which rules.
 */
import type { ApiChoice } from '../../simulator/description.js';
import type { KernelProfile } from '../../simulator/kernel/profile.js';

/** Devices that an IOMMU translates, or that a driver mediates. */
export type Translated = 'hardware' | 'mediated';

interface Made {
  readonly api: ApiChoice | readonly ApiChoice[];
  readonly verb: string;
  readonly errno: string;
  readonly rules: readonly string[];
  readonly devices?: Translated;
  /** Kernels that ask; all unless said. */
  readonly since?: (profile: KernelProfile) => boolean;
}

export interface Check {
  /** A clause: "…, so it is asked whether WHAT". */
  readonly what: string;
  /** Why interfaces differ in it, as a sentence. */
  readonly because: string;
  readonly made: readonly Made[];
}

const old = (profile: KernelProfile): boolean => profile.ownership === 'viability';
const owning = (profile: KernelProfile): boolean => profile.ownership === 'dma-owner';
const cdevs = (profile: KernelProfile): boolean => profile.cdev;
const emulated = (profile: KernelProfile): boolean => profile.mediated === 'emulated-group';
const CONTAINERS: readonly ApiChoice[] = ['type1', 'iommufd-container'];

export const CHECKS: readonly Check[] = [
  {
    what: 'the interface is there', because: 'iommufd came with 6.2 and its character devices with 6.6; before, there is only VFIO’s container.',
    made: [
      { api: ['iommufd', 'iommufd-container'], verb: 'open-iommufd', errno: 'ENOENT', rules: ['VER-06', 'IFD-06'] },
      { api: 'iommufd', verb: 'open-cdev', errno: 'ENOENT', rules: ['CDV-01', 'VER-06'], since: (profile) => !profile.cdev },
    ],
  },
  {
    what: 'the mediated device is of a kind that still exists', because: 'Mediated devices that borrow the IOMMU of their parent needed an interface that went with the external domain (MDV-07): no driver registers them any more.',
    made: [
      { api: CONTAINERS, verb: 'open-group', errno: 'ENOENT', rules: ['VFG-10', 'MDV-07'], devices: 'mediated', since: emulated },
      { api: 'iommufd', verb: 'open-cdev', errno: 'ENOENT', rules: ['CDV-01', 'MDV-07'], devices: 'mediated', since: emulated },
      { api: 'iommufd', verb: 'bind-iommufd', errno: 'ENOENT', rules: ['CDV-01', 'MDV-07'], devices: 'mediated', since: emulated },
    ],
  },
  {
    what: 'a VFIO driver has the device', because: 'The file is not there without one: no file of the group, or no character device.',
    made: [
      { api: CONTAINERS, verb: 'open-group', errno: 'ENOENT', rules: ['VFG-10'], devices: 'hardware' },
      { api: 'iommufd', verb: 'open-cdev', errno: 'ENOENT', rules: ['CDV-01'], devices: 'hardware', since: cdevs },
    ],
  },
  {
    what: 'no kernel driver uses the group', because: 'Before 5.19 nobody owns the DMA of a group: VFIO looks at the drivers when the device file is asked for, after the domain is attached. Since then the IOMMU core keeps an owner, and the first call that takes it is refused.',
    made: [
      { api: 'type1', verb: 'get-device', errno: 'EINVAL', rules: ['VFG-16', 'VFG-12'], devices: 'hardware', since: old },
      { api: 'type1', verb: 'set-container', errno: 'EPERM', rules: ['VFG-14', 'OWN-04'], devices: 'hardware', since: owning },
      { api: 'iommufd', verb: 'bind-iommufd', errno: 'EPERM', rules: ['IFD-30', 'OWN-05'], devices: 'hardware', since: cdevs },
      { api: 'iommufd-container', verb: 'get-device', errno: 'EPERM', rules: ['CMP-03', 'OWN-05'], devices: 'hardware' },
    ],
  },
  {
    what: 'nobody else has the group', because: 'A group file opens once; a character device opens often, and binding decides.',
    made: [
      { api: CONTAINERS, verb: 'open-group', errno: 'EBUSY', rules: ['VFG-10'] },
      { api: 'iommufd', verb: 'bind-iommufd', errno: 'EBUSY', rules: ['CDV-06'], since: cdevs },
    ],
  },
  {
    what: 'interrupts of the group are isolated', because: 'Type1 asks after it has attached a domain and takes that back; iommufd asks before it takes the group.',
    made: [
      { api: 'type1', verb: 'set-iommu', errno: 'EPERM', rules: ['VFT-10', 'VFT-15'], devices: 'hardware' },
      { api: 'iommufd', verb: 'bind-iommufd', errno: 'EPERM', rules: ['IFD-30'], devices: 'hardware', since: cdevs },
      { api: 'iommufd-container', verb: 'get-device', errno: 'EPERM', rules: ['IFD-30', 'CMP-03'], devices: 'hardware' },
    ],
  },
  {
    what: 'DMA stays coherent with the caches', because: 'Type1 of 2021 takes any domain and notes whether it is coherent; since 5.19 VFIO does not take the device at all, and iommufd asks again when it binds.',
    made: [
      { api: CONTAINERS, verb: 'bind', errno: 'EINVAL', rules: ['VFG-22', 'OWN-46'], devices: 'hardware', since: owning },
      { api: 'iommufd', verb: 'bind-iommufd', errno: 'EINVAL', rules: ['IFD-30'], devices: 'hardware', since: cdevs },
    ],
  },
  {
    what: 'the group is not attached to another domain', because: 'Both end in the same test of the IOMMU core; ownership, where there is one, was asked before.',
    made: [
      { api: 'type1', verb: 'set-iommu', errno: 'EBUSY', rules: ['ATT-02', 'VFT-12'], devices: 'hardware' },
      { api: 'iommufd', verb: 'attach', errno: 'EINVAL', rules: ['IFD-40'], devices: 'hardware' },
      { api: 'iommufd-container', verb: 'get-device', errno: 'EINVAL', rules: ['IFD-40'], devices: 'hardware' },
    ],
  },
  {
    what: 'firmware leaves the device to a user', because: 'Memory that firmware wants mapped 1:1 is asked for where the group leaves its default domain: when it is attached, or since 6.6 when it is blocked for its owner.',
    made: [
      { api: 'type1', verb: 'set-iommu', errno: 'EPERM', rules: ['RSV-45'], devices: 'hardware', since: (profile) => profile.directRegions === 'vtd-eperm' },
      { api: 'type1', verb: 'set-container', errno: 'EINVAL', rules: ['RSV-44'], devices: 'hardware', since: (profile) => profile.directRegions === 'core-einval' },
      { api: 'iommufd', verb: 'bind-iommufd', errno: 'EINVAL', rules: ['RSV-44'], devices: 'hardware', since: (profile) => profile.directRegions === 'core-einval' },
    ],
  },
  {
    what: 'what is mapped lies in what the domain translates', because: 'For type1 a mapping outside is a bad argument; for iommufd the address is in use.',
    made: [
      { api: 'type1', verb: 'set-iommu', errno: 'EINVAL', rules: ['VFT-20'], devices: 'hardware' },
      { api: 'iommufd', verb: 'attach', errno: 'EADDRINUSE', rules: ['IOP-05', 'IOP-07'], devices: 'hardware' },
      { api: 'iommufd-container', verb: 'get-device', errno: 'EADDRINUSE', rules: ['IOP-05', 'IOP-07'], devices: 'hardware' },
    ],
  },
  {
    what: 'nothing is mapped in reserved regions of the device', because: 'A mediated device brings no domain and no regions, so type1 finds mappings there only when a function joins; iommufd reserves the regions of each device in the address space that it attaches to.',
    made: [
      { api: 'type1', verb: 'set-iommu', errno: 'EINVAL', rules: ['VFT-21', 'VFT-22'], devices: 'hardware' },
      { api: 'type1', verb: 'set-container', errno: 'EINVAL', rules: ['VFT-21', 'VFT-22'], devices: 'hardware' },
      { api: 'iommufd', verb: 'attach', errno: 'EADDRINUSE', rules: ['IFD-40', 'IOP-06'], devices: 'hardware' },
      { api: 'iommufd-container', verb: 'get-device', errno: 'EADDRINUSE', rules: ['IFD-40', 'IOP-06'], devices: 'hardware' },
    ],
  },
  {
    what: 'the parent is alone in its group', because: 'In 2021 a mediated device could be told to borrow the whole parent, and the container attached its domain there; today the driver of the parent would register it as a physical device.',
    made: [{ api: 'type1', verb: 'set-iommu', errno: 'EINVAL', rules: ['VFT-12', 'SBS-04'], devices: 'mediated', since: old }],
  },
  {
    what: 'no auxiliary domain is on the device', because: 'With auxiliary domains the parent cannot be had as a whole; today requests with and without PASID have domains of their own side by side.',
    made: [
      { api: 'type1', verb: 'set-iommu', errno: 'EPERM', rules: ['VFT-13', 'SBS-03'], devices: 'hardware', since: old },
      { api: 'iommufd', verb: 'attach', errno: 'EINVAL', rules: ['PAS-03', 'PAS-04'], devices: 'hardware', since: (profile) => profile.iommufdSince613 },
    ],
  },
  {
    what: 'there is a back end', because: 'A container maps nothing before VFIO_SET_IOMMU, which needs a group; an address space of iommufd is one before any device comes.',
    made: [{ api: 'type1', verb: 'map', errno: 'EINVAL', rules: ['VFG-05'] }, { api: 'type1', verb: 'set-iommu', errno: 'EINVAL', rules: ['VFG-04'] }],
  },
  {
    what: 'the range is free', because: 'Both keep each address once.',
    made: [
      { api: 'type1', verb: 'map', errno: 'EEXIST', rules: ['VFT-40'] },
      { api: ['iommufd', 'iommufd-container'], verb: 'map', errno: 'EEXIST', rules: ['IFD-18', 'IOP-10'] },
    ],
  },
  {
    what: 'the range is inside of what the devices can use', because: 'Type1 has a list of ranges that only domains shrink, so that with mediated devices alone every address is good (VFT-25); an address space of iommufd has what its devices reserve.',
    made: [
      { api: 'type1', verb: 'map', errno: 'EINVAL', rules: ['VFT-22', 'VFT-40'], devices: 'hardware' },
      { api: ['iommufd', 'iommufd-container'], verb: 'map', errno: 'EINVAL', rules: ['IOP-10', 'IFD-18', 'IOP-06'], devices: 'hardware' },
    ],
  },
  {
    what: 'mappings are not too many', because: 'Type1 counts records, 65535 unless its parameter says otherwise; iommufd has no limit of its own.',
    made: [{ api: 'type1', verb: 'map', errno: 'ENOSPC', rules: ['VFT-41'] }],
  },
  {
    what: 'the limit of locked memory holds', because: 'Memory is counted when it is pinned: with a domain at once, with mediated devices alone only what the driver pins. Adding the first function to a container pins everything (VFT-31).',
    made: [
      { api: 'type1', verb: 'map', errno: 'ENOMEM', rules: ['VFT-60'], devices: 'hardware' },
      { api: 'type1', verb: 'set-container', errno: 'ENOMEM', rules: ['VFT-60', 'VFT-31'], devices: 'hardware' },
      { api: 'type1', verb: 'pin-pages', errno: 'ENOMEM', rules: ['VFT-61'], devices: 'mediated' },
      { api: ['iommufd', 'iommufd-container'], verb: 'map', errno: 'ENOMEM', rules: ['IOP-30'], devices: 'hardware' },
      { api: 'iommufd', verb: 'attach', errno: 'ENOMEM', rules: ['IOP-30', 'IOP-07'], devices: 'hardware' },
      { api: ['iommufd', 'iommufd-container'], verb: 'pin-pages', errno: 'ENOMEM', rules: ['IOP-30', 'ACC-12'], devices: 'mediated' },
    ],
  },
  {
    what: 'no mapping is cut in two', because: 'Version 2 of type1 and iommufd refuse it, with other words for it; unmapping nothing is fine for type1 and no entry for iommufd.',
    made: [
      { api: 'type1', verb: 'unmap', errno: 'EINVAL', rules: ['VFT-51'] },
      { api: 'iommufd', verb: 'unmap', errno: 'ENOENT', rules: ['IFD-20', 'IOP-35'] },
      { api: 'iommufd-container', verb: 'unmap', errno: 'ENOENT', rules: ['CMP-14', 'IOP-35'] },
    ],
  },
  {
    what: 'the driver lets go of what it pinned', because: 'A driver that forgets stops the kernel of 2021; iommufd gives up after 100 tries.',
    made: [
      { api: 'type1', verb: 'unmap', errno: 'BUG', rules: ['MDV-22'], devices: 'mediated' },
      { api: ['iommufd', 'iommufd-container'], verb: 'unmap', errno: 'EDEADLOCK', rules: ['IOP-35', 'ACC-13'], devices: 'mediated' },
    ],
  },
  {
    what: 'the pages are mapped for the driver', because: 'In type1 the records of the container are what the driver reads as if they were a page table; in iommufd an access object reads the address space itself.',
    made: [
      { api: 'type1', verb: 'pin-pages', errno: 'EINVAL', rules: ['VFT-71', 'VFT-70'], devices: 'mediated' },
      { api: ['iommufd', 'iommufd-container'], verb: 'pin-pages', errno: 'ENOENT', rules: ['ACC-10', 'CDV-07', 'IOP-35'], devices: 'mediated' },
    ],
  },
];

const isOf = (made: Made, api: ApiChoice): boolean => (typeof made.api === 'string' ? made.api === api : made.api.includes(api));

export interface Asked {
  readonly check: Check;
  readonly verb: string;
  readonly errno: string;
  readonly rules: readonly string[];
}

/** Checks that a call makes of such devices. */
export function checksAt(verb: string, api: ApiChoice, profile: KernelProfile, devices: ReadonlySet<Translated>): Asked[] {
  return CHECKS.flatMap((check) => check.made.filter((made) => made.verb === verb && isAsked(made, api, profile, devices)).map((made): Asked => ({ check, verb, errno: made.errno, rules: made.rules })));
}

/** Where a model makes a check of such devices; empty where it never does. */
export const madeBy = (check: Check, api: ApiChoice, profile: KernelProfile, devices: ReadonlySet<Translated>): Asked[] =>
  check.made.filter((made) => isAsked(made, api, profile, devices)).map(({ verb, errno, rules }) => ({ check, verb, errno, rules }));

const isAsked = (made: Made, api: ApiChoice, profile: KernelProfile, devices: ReadonlySet<Translated>): boolean =>
  isOf(made, api) && (made.since?.(profile) ?? true) && (made.devices === undefined || devices.has(made.devices));

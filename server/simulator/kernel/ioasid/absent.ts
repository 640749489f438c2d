/** What to say of a function that a kernel does not have: why not, and what does its work there. */
import { Refusal } from '../../errno.js';
import type { IoasidFunction } from './calls.js';

/** Who answers: the allocator of its time, or today's kernel. The proposal has all. */
export type ModelName = 'merged' | 'uncounted' | 'proposal' | 'today';

interface Replacement {
  readonly rule: string;
  readonly text: string;
}

const perDevice: Replacement = {
  rule: 'HIS-04',
  text: 'a PASID belongs to one device and whoever attaches picks it (`attach DEVICE to HWPT pasid N`), or it is asked for as a global one (`alloc-pasid`)',
};
const noSets: Replacement = {
  rule: 'HIS-03',
  text: 'there are no sets: an iommufd context holds what a process may use, its devices are bound to it, and nobody else\'s file descriptor reaches them',
};
const guestNumbers: Replacement = {
  rule: 'HIS-03',
  text: 'a guest\'s PASIDs need no translation: they live in a table of each device, which the guest fills behind a nested page table (`hwpt-alloc … nest-parent`)',
};
const noEvents: Replacement = { rule: 'THR-02', text: 'nobody is told by a chain: who uses a PASID holds the object, and is asked by a call of its own' };
const noCgroup: Replacement = { rule: 'HIS-01', text: 'no controller counts PASIDs: the cgroup was to become a resource of `misc`, and ended with the series' };
const iommufd: Replacement = { rule: 'HIS-02', text: 'the file that was argued about became /dev/iommu (`open-iommufd`)' };
const noAllocator: Replacement = { rule: 'HIS-04', text: 'the allocator is gone with drivers/iommu/ioasid.c: one ida gives out global PASIDs' };

/** Today's answers. */
const TODAY: Readonly<Record<IoasidFunction, Replacement>> = {
  allocateSet: noSets, freeSet: noSets, installCapacity: noSets, reserveCapacity: noSets, cancelCapacity: noSets,
  allocate: perDevice, get: perDevice, getIfOwned: noSets, put: perDevice, free: perDevice, find: perDevice, setData: perDevice, state: perDevice,
  attachSpid: guestNumbers, detachSpid: guestNumbers, findBySpid: guestNumbers,
  registerAllocator: noAllocator, unregisterAllocator: noAllocator,
  registerNotifier: noEvents,
  createCgroup: noCgroup, moveToCgroup: noCgroup, writeCgroupMax: noCgroup, readCgroup: noCgroup,
  openDevice: iommufd, closeDevice: iommufd, requestFromDevice: iommufd, releaseToDevice: iommufd, askDevice: iommufd,
};

const onlyProposed: Replacement = { rule: 'IOA-01', text: 'this exists only in the series of 2021 (`ioasid sets-2021`)' };
const ONCE: Readonly<Record<Exclude<ModelName, 'today'>, Readonly<Partial<Record<IoasidFunction, Replacement>>>>> = {
  merged: { free: { rule: 'IOA-03', text: 'a number ends with its last reference (`ioasid-put`)' } },
  uncounted: {
    get: { rule: 'IOA-03', text: 'references are not counted: the PASID of a process lives as long as its address space' },
    put: { rule: 'IOA-03', text: 'references are not counted: `ioasid-free` ends a number' },
  },
  proposal: {},
};
/** Files and directories; the rest are functions that a module calls. */
const FILES: ReadonlySet<IoasidFunction> = new Set<IoasidFunction>(['createCgroup', 'moveToCgroup', 'writeCgroupMax', 'readCgroup', 'openDevice', 'closeDevice', 'requestFromDevice', 'releaseToDevice', 'askDevice']);

/** ENOENT for a file; ENOSYS for a function, whose caller could not even be loaded. */
export function absent(name: IoasidFunction, model: ModelName): Refusal {
  const { rule, text } = model === 'today' ? TODAY[name] : (ONCE[model][name] ?? onlyProposed);
  return new Refusal(FILES.has(name) ? 'ENOENT' : 'ENOSYS', rule, `this kernel has no such interface: ${text}`);
}

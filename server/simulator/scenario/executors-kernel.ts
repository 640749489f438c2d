/** Steps that are calls which drivers inside the kernel make: domains, PASIDs, processes' addresses, features (section 7). */
import { Refusal } from '../errno.js';
import type { DeviceFeature } from '../kernel/attach-history.js';
import { attachDevice, detachDevice, groupOf } from '../kernel/attach.js';
import { enforceCoherency } from '../kernel/coherency.js';
import type { Device, Domain } from '../kernel/core.js';
import { BLOCKED, IDENTITY, TranslatedDomain } from '../kernel/domains.js';
import { disableFeature, enableFeature } from '../kernel/features.js';
import { IommuGroup } from '../kernel/group.js';
import { checkPasidCall, maxPasids, type AttachHandle } from '../kernel/pasid.js';
import { iova, physical } from '../memory/address.js';
import { NotModelled, type Call, type CallResult, type Executor } from './call.js';
import { permissionOf } from './executors-system.js';

// ------------------------------------------------------------------------------------------------ domains

/** A domain for the device, or a static one of its driver (S89). */
const allocDomain: Executor = (call) => {
  const domain = call.has('static-identity') ? IDENTITY : call.has('static-blocked') ? BLOCKED : allocate(call);
  call.machine.kernelDomains.set(nameIn(call, call.word('handle')), domain);
  return 'domainId' in domain ? { values: { 'domain-id': BigInt(domain.domainId) } } : undefined;
};

function allocate(call: Call): TranslatedDomain {
  const device = call.device('device');
  const { kernel, services } = call.machine;
  const tracks = call.has('dirty-tracking');
  if (tracks && !(services.rules.dirtyTracking && device.unit?.capabilities().dirtyTracking)) {
    throw new Refusal('EOPNOTSUPP', 'DRT-01', `${device.unit?.description.name ?? 'no IOMMU'} tracks no dirty pages in this kernel`, [device.subject]);
  }
  return kernel.allocateDomain(device, call.word('handle'), tracks ? 'dirty-tracking' : 'user');
}

const nameIn = (call: Call, name: string): string => `${call.process.name} ${name}`;

function domain(call: Call): Domain {
  const found = call.machine.kernelDomains.get(nameIn(call, call.word('domain')));
  if (found === undefined) throw new NotModelled(`the domain ${call.word('domain')}, which was not allocated`);
  return found;
}

/** MAP-01: only domains with a page table are mapped into. Older kernels find first that a blocked domain has no map operation (WARN). @throws Refusal EINVAL, ENODEV */
function translated(call: Call): TranslatedDomain {
  const found = domain(call);
  if (found instanceof TranslatedDomain) return found;
  const operation = found.type === 'blocked' && call.machine.services.rules.unmappable === 'operation-first';
  throw new Refusal(operation ? 'ENODEV' : 'EINVAL', 'MAP-01', `the ${found.type} domain has no ${operation ? 'map operation (WARN)' : 'page table'}`);
}

const freeDomain: Executor = (call) => {
  const found = domain(call);
  if (found instanceof TranslatedDomain) found.free();
  call.machine.kernelDomains.delete(nameIn(call, call.word('domain')));
  return undefined;
};

const mapDomain: Executor = (call) => {
  translated(call).map(iova(call.number('iova')), physical(call.number('physical')), call.number('size'), permissionOf(call), call.origin);
  return undefined;
};

const unmapDomain: Executor = (call) => {
  const found = domain(call);
  const size = call.number('size');
  const removed = found instanceof TranslatedDomain ? found.unmap(iova(call.number('iova')), size) : 0n;
  return { values: { size: removed }, notes: removed > size ? [`${removed - size} bytes went that nobody asked for: the leaf is larger. What one iommu_map() mapped must be unmapped as a whole (UNM-03).`] : [] };
};

const attachDomain: Executor = (call) => {
  const device = call.device('device');
  if (call.has('whole-group')) groupOf(device).attach(domain(call));
  else attachDevice(device, domain(call));
  return undefined;
};

/** OWN-30, ATT-04. */
const detachDomain: Executor = (call) => {
  const device = call.device('device');
  if (call.has('whole-group')) groupOf(device).detach();
  else if (!detachDevice(device, domain(call))) return { notes: [`The kernel warns and does nothing: ${call.word('domain')} is not what ${device.name}, alone in its group, is attached to (ATT-04).`] };
  return { values: { domain: device.group?.domain?.type ?? 'none' } };
};

const enforce: Executor = (call) => ({ values: { enforced: enforceCoherency(call.machine.services.rules, translated(call)) ? 1n : 0n } });

// ------------------------------------------------------------------------------------------------ ownership and reset

const claimDma: Executor = (call) => {
  groupOf(call.device('device')).claim(call.program);
  return undefined;
};

/** OWN-06. */
const releaseDma: Executor = (call) => {
  const group = groupOf(call.device('device'));
  group.release();
  return { values: { owned: group.owner === null ? 0n : 1n } };
};

const prepareReset: Executor = (call) => {
  const device = call.device('device');
  resettable(device).prepareReset(device);
  return undefined;
};

const finishReset: Executor = (call) => {
  const device = call.device('device');
  resettable(device).finishReset(device);
  return undefined;
};

function resettable(device: Device): IommuGroup {
  const group = groupOf(device);
  if (group instanceof IommuGroup) return group;
  throw new NotModelled('resets of such a device');
}

// ------------------------------------------------------------------------------------------------ PASIDs

/** With a handle of its own, as iommufd and SVA attach; another one each time (PAS-07). */
const attachPasid: Executor = (call) => {
  const device = call.device('device');
  const { services } = call.machine;
  const handle: AttachHandle = { domain: domain(call) };
  checkPasidCall(services.rules, device, handle.domain, 'iommu_attach_device_pasid');
  groupOf(device).pasids.attach(device, handle.domain, pasidOf(call), handle);
  return undefined;
};

const replacePasid: Executor = (call) => {
  const device = call.device('device');
  const handle: AttachHandle = { domain: domain(call) };
  checkPasidCall(call.machine.services.rules, device, handle.domain, 'iommu_replace_device_pasid');
  groupOf(device).pasids.replace(device, handle.domain, pasidOf(call), handle);
  return undefined;
};

const detachPasid: Executor = (call) => {
  groupOf(call.device('device')).pasids.detach(pasidOf(call));
  return undefined;
};

const pasidOf = (call: Call): number => Number(call.number('pasid'));

/** PAS-13. */
function allocPasid(call: Call): CallResult {
  const device = call.device('device');
  const { services } = call.machine;
  if (services.rules.sva !== 'global') throw new Refusal('ENOSYS', 'PAS-13', 'this kernel has no iommu_alloc_global_pasid()');
  const pasid = services.numbers.take(maxPasids(device) - 1);
  return pasid === null ? { values: { pasid: PASID_INVALID }, notes: [`No PASID that ${device.name} can send is free: IOMMU_PASID_INVALID.`] } : { values: { pasid: BigInt(pasid) } };
}

/** PAS-12 */
const PASID_INVALID = 0xffff_ffffn;

const freePasid: Executor = (call) => {
  const known = call.machine.services.numbers.giveBack(pasidOf(call));
  return known ? undefined : { notes: ['The kernel warns: that number was not allocated.'] };
};

const enablePasid: Executor = (call) => {
  call.machine.services.capabilities.enablePasid(call.device('device'));
  return undefined;
};

const enableAts: Executor = (call) => {
  call.machine.services.capabilities.enableAts(call.device('device'));
  return undefined;
};

// ------------------------------------------------------------------------------------------------ processes, features, faults

const svaBind: Executor = (call) => ({ values: { pasid: BigInt(call.machine.services.sharing.bind(call.device('device'), call.process)) } });

const svaUnbind: Executor = (call) => {
  call.machine.services.sharing.unbind(call.device('device'), call.process);
  return undefined;
};

const FEATURES: ReadonlyMap<string, DeviceFeature> = new Map([['aux', 'aux'], ['sva', 'sva'], ['iopf', 'iopf']]);

function feature(call: Call): DeviceFeature {
  const found = FEATURES.get(call.word('feature'));
  if (found === undefined) throw new NotModelled(`a feature called ${call.word('feature')}`);
  return found;
}

const enable: Executor = (call) => {
  enableFeature(call.machine.services.rules, call.device('device'), feature(call));
  return undefined;
};

const disable: Executor = (call) => {
  disableFeature(call.machine.services.rules, call.device('device'), feature(call));
  return undefined;
};

const auxAttach: Executor = (call) => ({ values: { pasid: BigInt(call.machine.services.auxiliary.attach(translated(call), call.device('device'))) } });

const auxDetach: Executor = (call) => {
  call.machine.services.auxiliary.detach(translated(call), call.device('device'));
  return undefined;
};

const auxPasid: Executor = (call) => ({ values: { pasid: BigInt(call.machine.services.auxiliary.pasidOf(translated(call), call.device('device'))) } });

/** What the device is told, as the PCIe response code: 0 success, 1 invalid request, 15 failure. */
const RESPONSE_CODES = { success: 0n, invalid: 1n, failure: 15n } as const;

/** IOPF-01. */
const reportFault: Executor = (call) => {
  const { services } = call.machine;
  const pasid = call.optionalNumber('pasid');
  const response = services.pageRequests.report(call.device('device'), { pasid: pasid === undefined ? undefined : Number(pasid), address: call.number('address'), write: call.has('w'), last: !call.has('more') });
  return response === null ? { notes: [call.has('more') ? 'The request waits for the last one of its group.' : 'Whoever handles faults of this domain has the request and answers later.'] } : { values: { response: RESPONSE_CODES[response] } };
};

const dmesg: Executor = (call) => {
  const found = call.machine.kernel.log.filter((line) => line.includes(call.word('text')));
  return { values: { lines: BigInt(found.length) }, notes: found };
};

export const KERNEL_EXECUTORS: Readonly<Record<string, Executor>> = {
  'alloc-domain': allocDomain, 'free-domain': freeDomain, 'map-domain': mapDomain, 'unmap-domain': unmapDomain, 'attach-domain': attachDomain, 'detach-domain': detachDomain,
  'enforce-coherency': enforce, 'claim-dma': claimDma, 'release-dma': releaseDma, 'prepare-reset': prepareReset, 'finish-reset': finishReset, 'attach-pasid': attachPasid,
  'replace-pasid': replacePasid, 'detach-pasid': detachPasid, 'alloc-pasid': allocPasid, 'free-pasid': freePasid, 'enable-pasid': enablePasid, 'enable-ats': enableAts,
  'sva-bind': svaBind, 'sva-unbind': svaUnbind, 'enable-feature': enable, 'disable-feature': disable, 'aux-attach': auxAttach, 'aux-detach': auxDetach, 'aux-pasid': auxPasid,
  'report-fault': reportFault, dmesg,
};

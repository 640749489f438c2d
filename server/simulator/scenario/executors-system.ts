/** Steps that are no VFIO and no iommufd: sysfs writes, the DMA API, processes, memory. */
import { Refusal } from '../errno.js';
import type { DmaMapping, DmaUnmap } from '../kernel/dma-api.js';
import { registerNamed, registersOf } from '../hardware/register-map.js';
import { FLUSH_QUEUE_SIZE, FLUSH_TIMEOUT_MS } from '../kernel/flush-queue.js';
import { hex, physical } from '../memory/address.js';
import type { Call, CallResult, Executor } from './call.js';

/** VFG-23: a driver that is being removed keeps the device locked. */
const bind: Executor = (call) => {
  const device = call.device('device');
  return call.machine.vfio.bind(device, call.word('driver')) === 'blocked' ? { waitsFor: `the driver of ${device.name} to be removed` } : undefined;
};

/** VFG-23: the driver's remove waits for whoever has the device open; it goes on when that closes it. */
const unbind: Executor = (call) => {
  const device = call.device('device');
  return call.machine.vfio.unbind(device) === 'blocked' ? { waitsFor: `the user of ${device.name} to close it` } : undefined;
};

const setGroupType: Executor = (call) => {
  const device = call.device('device');
  call.machine.kernel.writeGroupType(device, call.word('type'), call.process);
  return { values: { type: device.group?.defaultDomain?.type ?? 'unknown' } };
};

/** LNX-11. Without `at` the driver's buffer is taken from free memory. */
function dmaMap(call: Call): CallResult {
  const size = call.number('size');
  const target = call.optionalNumber('at');
  const buffer = physical(target ?? call.machine.hostMemory.allocate(size, pagesFor(size))[0]?.physical ?? 0n);
  const permission = permissionOf(call);
  const address = call.machine.dmaApi.map(call.device('device'), buffer, roundedToPages(size), permission, call.optionalNumber('iova'), call.origin);
  return { values: { address, physical: buffer }, notes: [`The driver tells its device address ${hex(address)} for memory at ${hex(buffer)}.`] };
}

/** 4.3: strict or lazy, as the default domain is. */
function dmaUnmap(call: Call): CallResult {
  const outcome = call.machine.dmaApi.unmap(call.device('device'), call.optionalNumber('iova'));
  switch (outcome.kind) {
    case 'untranslated': return { notes: ['The device uses physical addresses: there is no mapping to remove, and nothing stops its DMA.'] };
    case 'not-mapped': return { notes: [`The driver has mapped nothing ${outcome.address === undefined ? 'for this device' : `at ${hex(outcome.address)}`}: a bug in the driver, of which the kernel may warn.`] };
    case 'invalidated': return { values: { address: outcome.mapping.address }, notes: [`Strict: the table entries of ${rangeText(outcome.mapping)} are cleared and the IOTLB has dropped them before the call returns.`] };
    case 'queued': return { values: { address: outcome.mapping.address, waiting: BigInt(outcome.waiting) }, notes: queuedNotes(outcome) };
  }
}

function queuedNotes({ mapping, waiting, flushed }: Extract<DmaUnmap, { kind: 'queued' }>): string[] {
  const full = flushed === 0 ? [] : [`The flush queue was full: the IOTLB of the domain is invalidated, which frees ${flushed} ranges.`];
  return [
    ...full,
    `Lazy: the table entries of ${rangeText(mapping)} are cleared, but nobody tells the IOTLB yet. The range waits on the flush queue (${waiting} of ${FLUSH_QUEUE_SIZE - 1}), at most ${FLUSH_TIMEOUT_MS} ms.`,
    `Until then DMA of the device may still reach the memory at ${hex(mapping.physical)}, which the driver is free to use for something else.`,
  ];
}

const rangeText = ({ address, size }: DmaMapping): string => `${hex(address)} .. ${hex(address + size - 1n)}`;

/** Time passes; the only thing that waits for it is the timer of the flush queues. */
function wait(call: Call): CallResult {
  const flushes = call.machine.dmaApi.wait(Number(call.number('milliseconds')));
  const notes = flushes.map(({ domain, ranges }) => `The flush-queue timer of ${domain.name} fires: the IOTLB entries of domain ${domain.domainId} are invalidated, ${ranges} unmapped ${ranges === 1 ? 'range is' : 'ranges are'} free again.`);
  return { notes: notes.length > 0 ? notes : ['No flush-queue timer fires.'] };
}

const roundedToPages = (size: bigint): bigint => (size + 4095n) & ~4095n;

function pagesFor(size: bigint): bigint {
  let pages = 4096n;
  while (pages < size) pages <<= 1n;
  return pages;
}

/** `r`, `w`, `rw`; both when nothing is said, neither for `none`. */
export function permissionOf(call: Call): { readonly read: boolean; readonly write: boolean } {
  const given = (['r', 'w', 'rw', 'none'] as const).find((flag) => call.has(flag)) ?? 'rw';
  return { read: given.includes('r'), write: given === 'w' || given === 'rw' };
}

const busMaster: Executor = (call) => {
  call.device('device').busMaster = !call.has('off');
  return undefined;
};

const kill: Executor = (call) => {
  const { programs, services } = call.machine;
  const name = call.word('process');
  const found = [...programs.all].find(([known]) => known === name)?.[1];
  programs.kill(name);
  if (found !== undefined) services.sharing.processEnds(found.process); // SVA-05
  return undefined;
};

/** A store of the CPU: to a memory of the program, or to a physical address. @throws Refusal EFAULT */
const write: Executor = (call) => {
  const address = physicalAddressOf(call, call.number('at'));
  call.machine.memory.writeWord(physical(address), BigInt.asUintN(64, call.number('value')));
  return { values: { physical: address } };
};

/** VTD-10, 3.2: whoever plays firmware, or a kernel other than Linux. */
const writeRegister: Executor = (call) => {
  const name = call.word('unit');
  const unit = call.machine.booted.units.find(({ description }) => description.name === name);
  if (unit === undefined) throw new Refusal('ENODEV', 'VTD-10', `no IOMMU unit of this host that is switched on is named ${name}`);
  const { architecture } = unit.description;
  const spec = registerNamed(architecture, call.word('register'));
  if (spec === undefined) throw new Refusal('EINVAL', 'VTD-10', `${name} has no register ${call.word('register')} that decides over requests${registersOf(architecture).length === 0 ? '' : `; it has ${registersOf(architecture).map((each) => each.name).join(', ')}`}`);
  call.machine.writeRegister(unit, spec.name, BigInt.asUintN(spec.bits, call.number('value')));
  return { values: { offset: BigInt(spec.offset) } };
};

function physicalAddressOf(call: Call, at: bigint): bigint {
  const memory = call.subject('memory');
  if (memory === undefined) return at;
  const offset = at + (call.optionalNumber('memoryOffset') ?? 0n);
  const start = call.machine.programs.virtualAddress(call.program, memory) + offset;
  const piece = call.process.pieces(start as never, 8n, { read: true, write: false })[0];
  if (piece === undefined) throw new Refusal('EFAULT', 'VFT-40', `${hex(offset)} is beyond the memory`);
  return piece.physical;
}

export const SYSTEM_EXECUTORS: Readonly<Record<string, Executor>> = {
  bind, unbind, 'set-group-type': setGroupType, 'dma-map': dmaMap, 'dma-unmap': dmaUnmap, wait, busmaster: busMaster, kill, write, 'write-register': writeRegister,
};

/** Steps that are no VFIO and no iommufd: sysfs writes, the DMA API, processes, memory. */
import { Refusal } from '../errno.js';
import { hex, physical } from '../memory/address.js';
import type { Call, CallResult, Executor } from './call.js';

const bind: Executor = (call) => {
  call.machine.kernel.bind(call.device('device'), call.word('driver'));
  return undefined;
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
  call.machine.programs.kill(call.word('process'));
  return undefined;
};

/** A store of the CPU: to a memory of the program, or to a physical address. @throws Refusal EFAULT */
const write: Executor = (call) => {
  const address = physicalAddressOf(call, call.number('at'));
  call.machine.memory.writeWord(physical(address), BigInt.asUintN(64, call.number('value')));
  return { values: { physical: address } };
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
  bind, unbind, 'set-group-type': setGroupType, 'dma-map': dmaMap, busmaster: busMaster, kill, write,
};

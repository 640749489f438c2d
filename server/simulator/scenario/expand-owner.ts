/**
 * `vm` and `process` statements as the calls that their programs make. The steps are the same that a person could write
 * in a scenario, and `text` is exactly that ("Show the calls"). Which calls, in which order: `programs/`.
 */
import type { HostDescription, OwnerDescription, OwnerMemory, ProgramName } from '../description.js';
import type { Kernel } from '../kernel/core.js';
import { placeGuestMemory } from './guest-memory.js';
import { dpdk } from './programs/dpdk.js';
import { libvirt } from './programs/libvirt.js';
import { qemu } from './programs/qemu.js';
import { spdk } from './programs/spdk.js';
import { StepWriter, type Assigned, type Calls, type Placement, type Program } from './programs/steps.js';

export type { Calls, ExpandedStep } from './programs/steps.js';

const PROGRAMS: Readonly<Record<ProgramName, Program>> = { qemu, libvirt, dpdk, spdk };

/** What an owner runs that does not say. */
export const programOf = (owner: OwnerDescription): ProgramName => owner.program ?? (owner.kind === 'vm' ? 'qemu' : 'dpdk');

/** Says where a memory of the owner lies in its process. */
export type VirtualAddressOf = (memory: OwnerMemory) => bigint;

/** The calls of an owner in order. Devices that do not exist are left out: that is the language's finding. */
export function* expandOwner(owner: OwnerDescription, host: HostDescription, kernel: Kernel, virtualAddressOf: VirtualAddressOf): Calls {
  const assigned = owner.assigned.flatMap(({ id, device }): Assigned[] => {
    const found = kernel.device(device);
    return found === undefined ? [] : [{ origin: id, device: found, name: found.description.name }];
  });
  if (assigned.length === 0) return;
  const placements = owner.memory.flatMap((memory) => placeMemory(owner, host, memory, virtualAddressOf));
  yield* PROGRAMS[programOf(owner)]({ steps: new StepWriter(owner), assigned, placements, profile: kernel.profile });
}

function placeMemory(owner: OwnerDescription, host: HostDescription, memory: OwnerMemory, virtualAddressOf: VirtualAddressOf): Placement[] {
  if (memory.at !== undefined) return [{ memory, offset: 0n, iova: memory.at, size: memory.size }];
  if (owner.kind === 'process') return [{ memory, offset: 0n, iova: virtualAddressOf(memory), size: memory.size }];
  return placeGuestMemory(memory.size, host.kernel.cpuVendor).map((part) => ({ memory, ...part }));
}

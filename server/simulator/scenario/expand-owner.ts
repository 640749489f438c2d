/**
 * `vm` and `process` statements as the calls that their programs make. The steps are the same that a person could write
 * in a scenario, and `text` is exactly that, so that they can be copied from the report ("Show the calls").
 *
 * - VM through `type1`: what QEMU does. Per IOMMU group: open it, ask whether it is viable, join the container (the
 *   first time also VFIO_SET_IOMMU and the mapping of all guest memory), then take the device's file descriptor.
 * - VM through `iommufd`: what QEMU does with `-object iommufd`: character device, BIND, one IOAS for the whole VM, ATTACH,
 *   and guest memory mapped after the first device is attached.
 * - VM through `iommufd-container`: the calls of `type1` on an iommufd (CMP-01).
 * - process: what DPDK does: IOVA equal to the virtual address, type 1 instead of type 1v2.
 */
import type { HostDescription, Operand, OwnerDescription, OwnerMemory, StepDescription, SubjectId } from '../description.js';
import type { Device, Kernel } from '../kernel/core.js';
import { hex } from '../memory/address.js';
import { sizeWord } from '../memory/sizes.js';
import { placeGuestMemory } from './guest-memory.js';

/** Says where a memory of the owner lies in its process. */
export type VirtualAddressOf = (memory: OwnerMemory) => bigint;

interface Assigned {
  /** The `assign` entry: where a failure is shown. */
  readonly origin: SubjectId;
  readonly device: Device;
  /** As the file names it. */
  readonly name: string;
}

/** A step and the statement that a failure of it is shown at. */
export interface ExpandedStep {
  readonly step: StepDescription;
  readonly origin: SubjectId;
}

/**
 * Calls as a program makes them one after the other: each `next` tells whether the call before succeeded. A real program
 * ends at the first failure; this one leaves the failed device alone and goes on with the next, so that every reason why
 * the owner cannot start is found at once. (QEMU would stop at a group that is not viable already; the kernel's own answer
 * comes with a later call.)
 */
export type Calls = Generator<ExpandedStep, void, boolean>;

/** The calls of an owner in order. Devices that do not exist are left out: that is the language's finding. */
export function* expandOwner(owner: OwnerDescription, host: HostDescription, kernel: Kernel, virtualAddressOf: VirtualAddressOf): Calls {
  const assigned = owner.assigned.flatMap(({ id, device }): Assigned[] => {
    const found = kernel.device(device);
    return found === undefined ? [] : [{ origin: id, device: found, name: nameInFile(found) }];
  });
  if (assigned.length === 0) return;
  const steps = new StepWriter(owner);
  const placements = owner.memory.flatMap((memory) => placeMemory(owner, host, memory, virtualAddressOf));
  if (owner.through === 'iommufd') yield* useCdevs(steps, assigned, placements);
  else yield* useContainer(steps, assigned, placements);
}

const nameInFile = (device: Device): string => device.description.name;

/** One range of an owner's memory and the IOVA at which its program maps it. */
interface Placement {
  readonly memory: OwnerMemory;
  readonly offset: bigint;
  readonly iova: bigint;
  readonly size: bigint;
}

function placeMemory(owner: OwnerDescription, host: HostDescription, memory: OwnerMemory, virtualAddressOf: VirtualAddressOf): Placement[] {
  if (memory.at !== undefined) return [{ memory, offset: 0n, iova: memory.at, size: memory.size }];
  if (owner.kind === 'process') return [{ memory, offset: 0n, iova: virtualAddressOf(memory), size: memory.size }];
  return placeGuestMemory(memory.size, host.kernel.cpuVendor).map((part) => ({ memory, ...part }));
}

/** A part of the calls; true when all of it succeeded. */
type Part = Generator<ExpandedStep, boolean, boolean>;

/** QEMU's and DPDK's order of calls on a container, or on an iommufd that stands in for one. */
function* useContainer(steps: StepWriter, assigned: readonly Assigned[], placements: readonly Placement[]): Calls {
  const { owner } = steps;
  if (!(yield steps.step(owner.id, owner.through === 'type1' ? 'open-container' : 'open-iommufd', { handle: handle('c') }, 'c'))) return;
  const groups = new Map<object, { readonly name: string; readonly joined: boolean }>();
  let ready = false;
  for (const { origin, device, name } of assigned) {
    const key = device.group ?? device;
    let group = groups.get(key);
    if (group === undefined) {
      const groupName = `g${groups.size}`;
      group = { name: groupName, joined: yield* joinContainer(steps, origin, device, name, groupName) };
      groups.set(key, group);
      if (group.joined && !ready) ready = yield* setIommuAndMap(steps, origin, placements);
    }
    if (!group.joined || !ready) continue;
    const deviceFile = `d_${word(name)}`;
    yield steps.step(origin, 'get-device', { handle: handle(deviceFile), device: subject(device, name), group: handle(group.name) }, `${deviceFile} of ${name} in ${group.name}`);
  }
}

function* joinContainer(steps: StepWriter, origin: SubjectId, device: Device, name: string, group: string): Part {
  return (yield steps.step(origin, 'open-group', { handle: handle(group), device: subject(device, name) }, `${group} of ${name}`))
    && (yield steps.step(origin, 'group-status', { group: handle(group) }, group))
    && (yield steps.step(origin, 'set-container', { group: handle(group), container: handle('c') }, `${group} to c`));
}

function* setIommuAndMap(steps: StepWriter, origin: SubjectId, placements: readonly Placement[]): Part {
  const model = steps.owner.kind === 'vm' ? 'type1v2' : 'type1';
  if (!(yield steps.step(origin, 'set-iommu', { container: handle('c'), model: { kind: 'word', word: model } }, `c ${model}`))) return false;
  yield* mapAll(steps, 'c', placements);
  return true;
}

function* useCdevs(steps: StepWriter, assigned: readonly Assigned[], placements: readonly Placement[]): Calls {
  const { owner } = steps;
  if (!(yield steps.step(owner.id, 'open-iommufd', { handle: handle('fd') }, 'fd'))) return;
  let mapped = false;
  let allocated = false;
  for (const { origin, device, name } of assigned) {
    const cdev = `d_${word(name)}`;
    if (!(yield steps.step(origin, 'open-cdev', { handle: handle(cdev), device: subject(device, name) }, `${cdev} of ${name}`))) continue;
    if (!(yield steps.step(origin, 'bind-iommufd', { device: handle(cdev), iommufd: handle('fd') }, `${cdev} to fd`))) continue;
    allocated ||= yield steps.step(owner.id, 'ioas-alloc', { handle: handle('A'), iommufd: handle('fd') }, 'A in fd');
    if (!(yield steps.step(origin, 'attach', { device: handle(cdev), target: handle('A') }, `${cdev} to A`)) || mapped) continue;
    mapped = true;
    yield* mapAll(steps, 'A', placements);
  }
}

function* mapAll(steps: StepWriter, target: string, placements: readonly Placement[]): Calls {
  for (const { memory, offset, iova, size } of placements) {
    const name = `${steps.owner.name}.${memory.name}`;
    const permission = memory.kind === 'read-only' ? 'r' : 'rw';
    const operands: Record<string, Operand> = { target: handle(target), iova: number(iova), size: number(size), memory: { kind: 'subject', subject: memory.id, name } };
    if (offset !== 0n) operands.memoryOffset = number(offset);
    const from = offset === 0n ? name : `${name} + ${hex(offset)}`;
    yield steps.step(memory.id, 'map', operands, `${target} iova ${hex(iova)} size ${sizeWord(size)} from ${from} ${permission}`, [permission]);
  }
}

/** Writes the steps of one owner: their text in the language, and an identity each. */
class StepWriter {
  private written = 0;

  constructor(readonly owner: OwnerDescription) {}

  step(origin: SubjectId, verb: string, operands: Readonly<Record<string, Operand>>, rest: string, flags: readonly string[] = []): ExpandedStep {
    const text = `by ${this.owner.name} ${verb} ${rest}`;
    const id = `${this.owner.id}#${this.written++}`;
    return { origin, step: { kind: 'step', id, text, verb, process: this.owner.name, operands, flags } };
  }
}

const handle = (name: string): Operand => ({ kind: 'handle', name });
const number = (value: bigint): Operand => ({ kind: 'number', value });
const subject = (device: Device, name: string): Operand => ({ kind: 'subject', subject: device.subject, name });
/** A device's name as part of a handle's. */
const word = (name: string): string => name.replace(/\W/g, '_');

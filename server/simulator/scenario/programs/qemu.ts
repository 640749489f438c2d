/**
 * QEMU, as of 9.1 and later: vfio-pci devices realized one after the other, in the order of the command line.
 *
 * - `type1`: a group is tried in every container that is there before one is opened for it; a new container gets its back
 *   end, is asked for its address ranges, and then all guest memory is mapped.
 * - `iommufd`: the same with character devices; page tables take the place of containers.
 * - `iommufd-container`: the calls of `type1` on an iommufd (CMP-01).
 *
 * With a virtual IOMMU every slot is an address space of its own, so nothing is shared, and a group cannot be in two of them.
 */
import type { Calls, Part, Task, Assigned, ExpandedStep } from './steps.js';
import { allocateIoas, attach, bindIommufd, checkExtension, deviceHandle, getDevice, handle, mapAll, numbered, openCdev, openContainer, openGroup, OpenedGroups, setContainer, setIommu, succeeded } from './steps.js';
import type { StepReport } from '../../report.js';

/** Of VFIO_CHECK_EXTENSION, the richer one first. */
const TYPE1V2 = 3n;
const TYPE1 = 1n;
/** Of `out_capabilities` of IOMMU_GET_HW_INFO. */
const DIRTY_TRACKING = 1n;
/** A page table cannot serve the device: another one may. Every other refusal holds for the whole IOAS. */
const INCOMPATIBLE = 'EINVAL';

export const qemu = (task: Task): Calls => (task.steps.owner.through === 'iommufd' ? throughIommufd(task) : throughContainer(task));

// ------------------------------------------------------------------------------------------------ containers

function* throughContainer(task: Task): Calls {
  const groups = new OpenedGroups();
  const containers: string[] = [];
  const used = new Set<string>();
  let opened = 0;
  for (const assigned of task.assigned) {
    const group = yield* groups.of(assigned, function* (name) {
      if (!(yield* openGroup(task, assigned, name))) return false;
      for (const container of shareable(task, containers)) if (yield* setContainer(task, assigned, name, container, true)) return true;
      const container = numbered('c', opened++);
      if (!(yield* newContainer(task, assigned, name, container))) return false;
      containers.push(container);
      return true;
    });
    if (group === null || (task.steps.owner.virtualIommu === true && used.has(group))) continue;
    used.add(group);
    yield* getDevice(task, assigned, group);
  }
}

/** What a further device may join. */
const shareable = <T>({ steps }: Task, spaces: readonly T[]): readonly T[] => (steps.owner.virtualIommu === true ? [] : spaces);

function* newContainer(task: Task, assigned: Assigned, group: string, container: string): Part {
  const { origin } = assigned;
  if (!(yield* openContainer(task, task.steps.owner.id, container))) return false;
  const model = yield* richestModel(task, assigned, container);
  if (!(yield* setContainer(task, assigned, group, container)) || !(yield* setIommu(task, origin, container, model))) return false;
  yield* task.steps.call(origin, 'iommu-info', { container: handle(container) }, container);
  yield* mapAll(task, container);
  return true;
}

function* richestModel(task: Task, { origin }: Assigned, container: string): Generator<ExpandedStep, string, StepReport> {
  if ((yield* checkExtension(task, origin, container, TYPE1V2)) !== 0n) return 'type1v2';
  return (yield* checkExtension(task, origin, container, TYPE1)) !== 0n ? 'type1' : 'type1v2';
}

// ------------------------------------------------------------------------------------------------ iommufd

/** An IOAS with the page tables that devices already share. */
interface Space {
  readonly ioas: string;
  readonly tables: string[];
}

/** @param handedOver the iommufd, and by then also every character device, was opened by whoever started QEMU */
export function* throughIommufd(task: Task, handedOver = false): Calls {
  const work = new IommufdWork(task);
  let opened = handedOver;
  for (const assigned of task.assigned) {
    if (!handedOver && !(yield* openCdev(task, assigned))) continue;
    if (!opened && !(yield* task.steps.ok(task.steps.owner.id, 'open-iommufd', { handle: handle('fd') }, 'fd'))) return;
    opened = true;
    if (yield* bindIommufd(task, assigned, 'fd')) yield* work.attachSomewhere(assigned);
  }
}

class IommufdWork {
  private readonly spaces: Space[] = [];
  private allocated = 0;
  private tables = 0;

  constructor(private readonly task: Task) {}

  /** In a space that is there, or else in one of its own, into which all guest memory is mapped once more. */
  *attachSomewhere(assigned: Assigned): Calls {
    for (const space of shareable(this.task, this.spaces)) if (yield* this.attachIn(space, assigned, true)) return;
    const space: Space = { ioas: numbered('A', this.allocated++), tables: [] };
    if (!(yield* allocateIoas(this.task, space.ioas, 'fd')) || !(yield* this.attachIn(space, assigned, false))) return;
    this.spaces.push(space);
    yield* this.task.steps.call(this.task.steps.owner.id, 'ioas-ranges', { target: handle(space.ioas) }, space.ioas);
    yield* mapAll(this.task, space.ioas);
  }

  /** A mediated device, and any device before IOMMU_HWPT_ALLOC, attaches to the IOAS itself. */
  private *attachIn(space: Space, assigned: Assigned, mayFail: boolean): Part {
    if (assigned.device.kind === 'mdev' || !this.task.profile.hwptAlloc) return yield* attach(this.task, assigned, space.ioas, mayFail);
    for (const table of space.tables) {
      const refused = yield* this.attachToTable(assigned, table);
      if (refused !== INCOMPATIBLE) return refused === null;
    }
    return yield* this.attachToNewTable(space, assigned, mayFail);
  }

  /** @returns the error, null when it is attached */
  private *attachToTable(assigned: Assigned, table: string): Generator<ExpandedStep, string | null, StepReport> {
    const cdev = deviceHandle(assigned);
    const answer = yield* this.task.steps.call(assigned.origin, 'attach', { device: handle(cdev), target: handle(table) }, `${cdev} to ${table}`, { mayFail: true });
    return succeeded(answer) ? null : answer.result;
  }

  private *attachToNewTable(space: Space, assigned: Assigned, mayFail: boolean): Part {
    const { steps } = this.task;
    const cdev = deviceHandle(assigned);
    const info = yield* steps.call(assigned.origin, 'get-hw-info', { device: handle(cdev) }, cdev, { mayFail });
    if (!succeeded(info)) return false;
    const table = numbered('H', this.tables++);
    const flags = tracksDirtyPages(info) ? ['dirty-tracking'] : [];
    if (!(yield* steps.ok(assigned.origin, 'hwpt-alloc', { handle: handle(table), parent: handle(space.ioas), device: handle(cdev) }, `${table} on ${space.ioas} for ${cdev}`, { flags, mayFail }))) return false;
    if (!(yield* attach(this.task, assigned, table, mayFail))) {
      yield* steps.call(assigned.origin, 'destroy', { handle: handle(table) }, table);
      return false;
    }
    space.tables.push(table);
    return true;
  }
}

function tracksDirtyPages({ value }: StepReport): boolean {
  const capabilities = value?.['capabilities'];
  return typeof capabilities === 'bigint' && (capabilities & DIRTY_TRACKING) !== 0n;
}

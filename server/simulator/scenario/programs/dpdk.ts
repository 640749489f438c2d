/**
 * DPDK: the primary process of EAL, with I/O virtual addresses equal to virtual ones.
 *
 * One container for all; the back end is chosen when the first group is in it, type 1 before the one without IOMMU, and all
 * memory is mapped then. Through character devices (sources of 2026): one IOAS, mapped before the first device is opened.
 */
import type { Assigned, Calls, ExpandedStep, Part, Task } from './steps.js';
import { allocateIoas, attach, bindIommufd, checkExtension, getDevice, handle, mapAll, openCdev, openContainer, openGroup, OpenedGroups, setContainer, setIommu } from './steps.js';
import type { StepReport } from '../../report.js';

/** Back ends in the order in which DPDK tries them; sPAPR's is never there on machines that this simulator knows. */
const TYPE1 = 1n;
const SPAPR = 7n;
const NOIOMMU = 8n;

export const dpdk = (task: Task): Calls => (task.steps.owner.through === 'iommufd' ? throughIommufd(task) : throughContainer(task));

function* throughContainer(task: Task): Calls {
  const { owner } = task.steps;
  if (!(yield* openContainer(task, owner.id, 'c'))) return;
  const withoutIommu = yield* extensions(task);
  const groups = new OpenedGroups();
  let ready = false;
  for (const assigned of task.assigned) {
    const group = yield* groups.of(assigned, function* (name) {
      if (!(yield* openGroup(task, assigned, name)) || !(yield* setContainer(task, assigned, name, 'c'))) return false;
      ready ||= (yield* mapThroughType1(task, assigned, withoutIommu)) || (withoutIommu && (yield* doWithout(task, assigned)));
      return ready;
    });
    if (group !== null) yield* getDevice(task, assigned, group);
  }
}

/** Asks for all three; whether VFIO may do without an IOMMU. */
function* extensions(task: Task): Generator<ExpandedStep, boolean, StepReport> {
  const { owner } = task.steps;
  yield* checkExtension(task, owner.id, 'c', TYPE1);
  yield* checkExtension(task, owner.id, 'c', SPAPR);
  return (yield* checkExtension(task, owner.id, 'c', NOIOMMU)) !== 0n;
}

/** Where nothing but type 1 can be, its refusal is the one that matters; the others are tried only where one may succeed. */
function* mapThroughType1(task: Task, { origin }: Assigned, withoutIommu: boolean): Part {
  if (!(yield* setIommu(task, origin, 'c', 'type1', withoutIommu))) return false;
  yield* mapAll(task, 'c');
  return true;
}

/** Nothing is mapped: the device uses physical addresses. */
function* doWithout(task: Task, { origin }: Assigned): Part {
  yield* setIommu(task, origin, 'c', String(SPAPR), true);
  return yield* setIommu(task, origin, 'c', 'noiommu');
}

function* throughIommufd(task: Task): Calls {
  const { steps } = task;
  if (!(yield* steps.ok(steps.owner.id, 'open-iommufd', { handle: handle('fd') }, 'fd'))) return;
  if (!(yield* allocateIoas(task, 'A', 'fd'))) return;
  yield* mapAll(task, 'A');
  for (const assigned of task.assigned) {
    if ((yield* openCdev(task, assigned)) && (yield* bindIommufd(task, assigned, 'fd'))) yield* attach(task, assigned, 'A');
  }
}

/** Steps on an iommufd and on character devices as calls on containers and groups. */
import type { Operand, StepDescription, SubjectId } from '../../simulator/description.js';
import { verbNamed } from '../../simulator/scenario/verbs.js';
import { handle, inHandle, subjectOf, word, type StepMaker } from './step-maker.js';
import type { GroupOf, Translator } from './translate.js';

/** A device that the program has open: its file, and the file of its group. */
interface OpenDevice {
  readonly device: Operand;
  readonly group: string;
  /** GET_DEVICE_FD gave it this name. */
  readonly file: string;
  attached: boolean;
}

class State {
  readonly devices = new Map<string, OpenDevice>();
  /** Group files by group: two devices of one group share it. */
  readonly groups = new Map<string, { readonly name: string; container: string | null; readonly missing: boolean }>();
  readonly ready = new Set<string>();
  readonly iommufds = new Set<string>();
  /** Address spaces, which are containers here. */
  readonly spaces = new Set<string>();
  /** Page tables by name: the address space that they show. */
  readonly tables = new Map<string, string>();

  /** @param failed steps that were refused when this was tried before */
  constructor(readonly groupOf: GroupOf, private readonly failed: ReadonlySet<SubjectId>) {}

  /** Opens the group's file unless the program has it. */
  open(make: StepMaker, name: string, device: Operand): StepDescription[] {
    const key = this.groupOf(subjectOf(device) ?? name);
    const known = this.groups.get(key);
    this.devices.set(name, { device, group: key, file: `${inHandle(name)}_fd`, attached: false });
    if (known !== undefined) return [];
    const group = `${inHandle(name)}_group`;
    const open = make.step('open-group', { handle: handle(group), device });
    this.groups.set(key, { name: group, container: null, missing: this.failed.has(open.id) });
    return [open];
  }

  /** By the name of its file, or by its own. */
  device(make: StepMaker, role: string): OpenDevice | undefined {
    const known = this.devices.get(make.name(role));
    if (known !== undefined) return known;
    const subject: SubjectId | undefined = make.subject(role)?.subject;
    return [...this.devices.values()].find(({ device }) => subject !== undefined && subjectOf(device) === subject);
  }

  space(name: string): string {
    return this.tables.get(name) ?? name;
  }
}

type Rule = (make: StepMaker, state: State) => readonly StepDescription[];
const nothing: Rule = () => [];

const attach: Rule = (make, state) => {
  const open = state.device(make, 'device');
  if (open === undefined || make.original.operands.pasid !== undefined) return [];
  const group = state.groups.get(open.group)!;
  if (group.missing) return [];
  const container = state.space(make.name('target'));
  const steps = group.container === container ? [] : [make.step('set-container', { group: handle(group.name), container: handle(container) })];
  group.container ??= container;
  if (!state.ready.has(container)) steps.push(make.step('set-iommu', { container: handle(container), model: word('type1v2') }));
  state.ready.add(container);
  if (!open.attached) steps.push(make.step('get-device', { handle: handle(open.file), device: open.device, group: handle(group.name) }));
  open.attached = true;
  return steps;
};

const detach: Rule = (make, state) => {
  const open = state.device(make, 'device');
  if (open === undefined || !open.attached || make.original.operands.pasid !== undefined) return [];
  open.attached = false;
  const group = state.groups.get(open.group)!;
  const last = ![...state.devices.values()].some((other) => other.group === open.group && other.attached);
  const steps = [make.step('close', { handle: handle(open.file) })];
  if (last && group.container !== null) {
    // VFG-20: a container without groups forgets its back end.
    const emptied = ![...state.groups.values()].some((other) => other !== group && other.container === group.container);
    if (emptied) state.ready.delete(group.container);
    group.container = null;
    steps.push(make.step('unset-container', { group: handle(group.name) }));
  }
  return steps;
};

const close: Rule = (make, state) => {
  const name = make.name('handle');
  if (state.iommufds.has(name)) return [];
  const open = state.devices.get(name);
  if (open === undefined) return [make.original];
  const steps = open.attached ? [make.step('close', { handle: handle(open.file) })] : [];
  state.devices.delete(name);
  const shared = [...state.devices.values()].some((other) => other.group === open.group);
  if (shared) return steps;
  const group = state.groups.get(open.group)!;
  state.groups.delete(open.group);
  return group.missing ? steps : [...steps, make.step('close', { handle: handle(group.name) })];
};

const RULES: Readonly<Record<string, Rule>> = {
  'open-iommufd': (make, state) => {
    state.iommufds.add(make.name('handle'));
    return [];
  },
  'ioas-alloc': (make, state) => {
    state.spaces.add(make.name('handle'));
    return [make.step('open-container', { handle: handle(make.name('handle')) })];
  },
  'open-cdev': (make, state) => {
    const { device } = make.original.operands;
    return device === undefined ? [] : state.open(make, make.name('handle'), device);
  },
  'bind-iommufd': (make, state) => {
    const device = make.subject('device');
    return device === undefined || state.device(make, 'device') !== undefined ? [] : state.open(make, device.name, device);
  },
  'hwpt-alloc': (make, state) => {
    state.tables.set(make.name('handle'), state.space(make.name('parent')));
    return [];
  },
  // Type1 wants to be told where.
  map: (make) => (make.original.operands.iova === undefined ? [] : [make.original]),
  'ioas-ranges': (make) => [make.step('iommu-info', { container: handle(make.name('target')) })],
  destroy: (make, state) => (state.spaces.has(make.name('handle')) ? [make.step('close', { handle: handle(make.name('handle')) })] : []),
  attach, detach, close,
  copy: nothing, 'ioas-allow': nothing, 'iommufd-option': nothing, 'set-dirty-tracking': nothing, 'dirty-bitmap': nothing, 'get-hw-info': nothing,
};

export function toType1(groupOf: GroupOf, failed: ReadonlySet<SubjectId>): Translator {
  const state = new State(groupOf, failed);
  return (step, make) => {
    if (usesIommufd(step, state) && Object.hasOwn(RULES, step.verb)) return RULES[step.verb]!(make, state);
    return isObjectCall(step.verb) ? [] : undefined;
  };
}

/** A call on objects of an iommufd, of which type1 has none. */
const isObjectCall = (verb: string): boolean => /^IOMMU_/.test(verbNamed.get(verb)?.call ?? '');

/** `map`, `close` and the like mean a container or an address space, as the handle says. */
const SHARED_VERBS: ReadonlySet<string> = new Set(['map', 'close']);
const usesIommufd = ({ verb, operands }: StepDescription, { spaces, iommufds, devices }: State): boolean => {
  if (!SHARED_VERBS.has(verb)) return true;
  const operand = operands.target ?? operands.handle;
  return operand?.kind === 'handle' && (spaces.has(operand.name) || iommufds.has(operand.name) || devices.has(operand.name));
};

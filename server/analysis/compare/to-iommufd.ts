/** Steps on containers and groups as calls on an iommufd and on character devices. */
import type { Operand, StepDescription, SubjectId } from '../../simulator/description.js';
import { handle, subjectOf, type StepMaker } from './step-maker.js';
import type { Translator } from './translate.js';

/** A group file that the program has, and the character device that takes its place. */
interface OpenGroup {
  readonly cdev: string;
  readonly device: SubjectId | undefined;
  container: string | null;
  /** The last step that would have bound it. */
  bind: SubjectId | null;
  /** Its file could not be opened, so there is nothing to call on. */
  readonly missing: boolean;
}

type Rule = (make: StepMaker, state: State) => readonly StepDescription[];

class State {
  readonly groups = new Map<string, OpenGroup>();
  /** Containers that have their back end. */
  readonly ready = new Set<string>();
  readonly containers = new Set<string>();
  /** Device files by name: the character device behind, when it is one of its own. */
  readonly devices = new Map<string, string | null>();

  constructor(readonly failed: ReadonlySet<SubjectId>) {}

  space(container: string): Operand {
    return handle(`${container}_as`);
  }

  joined(container: string): OpenGroup[] {
    return [...this.groups.values()].filter((group) => group.container === container && !group.missing);
  }

  attach(make: StepMaker, { cdev, container }: OpenGroup): StepDescription {
    return make.step('attach', { device: handle(cdev), target: this.space(container!) });
  }

  bind(make: StepMaker, group: OpenGroup): StepDescription {
    const step = make.step('bind-iommufd', { device: handle(group.cdev), iommufd: handle(group.container!) });
    group.bind = step.id;
    return step;
  }
}

const onTarget: Rule = (make, state) => {
  const target = make.name('target');
  return state.containers.has(target) ? [make.again({ target: state.space(target) })] : [make.original];
};

const nothing: Rule = () => [];

const RULES: Readonly<Record<string, Rule>> = {
  'open-container': (make, state) => {
    const name = make.name('handle');
    state.containers.add(name);
    return [make.step('open-iommufd', { handle: handle(name) }), make.step('ioas-alloc', { handle: state.space(name), iommufd: handle(name) })];
  },
  'open-group': (make, state) => {
    const name = make.name('handle');
    const cdev = `${name}_dev`;
    const device = make.original.operands.device;
    const open = make.step('open-cdev', { handle: handle(cdev), ...(device === undefined ? {} : { device }) });
    state.groups.set(name, { cdev, device: subjectOf(device), container: null, bind: null, missing: state.failed.has(open.id) });
    return [open];
  },
  'set-container': (make, state) => {
    const group = state.groups.get(make.name('group'));
    const container = make.name('container');
    if (group === undefined || group.missing) return [];
    group.container = container;
    const attached = state.ready.has(container) ? [state.attach(make, group)] : [];
    // Another try of what was refused after it was bound, or a move to another container.
    const bound = group.bind !== null && !state.failed.has(group.bind);
    return bound ? attached : [state.bind(make, group), ...attached];
  },
  'set-iommu': (make, state) => {
    const container = make.name('container');
    state.ready.add(container);
    return state.joined(container).map((group) => state.attach(make, group));
  },
  'get-device': (make, state) => {
    const group = state.groups.get(make.name('group'));
    const name = make.name('handle');
    const device = make.original.operands.device;
    if (group === undefined || group.missing || device === undefined) return [];
    if (group.device === subjectOf(device)) {
      state.devices.set(name, null);
      // What was refused before is tried again here, as type1 does whose check comes only now.
      const refused = group.container !== null && group.bind !== null && state.failed.has(group.bind);
      return refused ? [state.bind(make, group), state.attach(make, group)] : [];
    }
    state.devices.set(name, name);
    const open = make.step('open-cdev', { handle: handle(name), device });
    if (group.container === null) return [open];
    const own = { cdev: name, device: subjectOf(device), container: group.container, bind: null, missing: false };
    return [open, state.bind(make, own), state.attach(make, own)];
  },
  'unset-container': (make, state) => {
    const group = state.groups.get(make.name('group'));
    if (group === undefined || group.missing) return [];
    group.container = null;
    return [make.step('detach', { device: handle(group.cdev) })];
  },
  'close': (make, state) => {
    const name = make.name('handle');
    const group = state.groups.get(name);
    if (group !== undefined) return group.missing ? [] : [make.step('close', { handle: handle(group.cdev) })];
    return state.devices.get(name) === null ? [] : [make.original];
  },
  'iommu-info': (make, state) => [make.step('ioas-ranges', { target: state.space(make.name('container')) })],
  map: (make, state) => (make.original.flags.includes('update-vaddr') ? [] : onTarget(make, state)),
  unmap: (make, state) => (make.original.flags.includes('keep-vaddr') ? [] : onTarget(make, state)),
  'group-status': nothing, 'check-extension': nothing, 'dirty-pages': nothing,
};

/** @param failed steps that were refused when this was tried before */
export function toIommufd(failed: ReadonlySet<SubjectId>): Translator {
  const state = new State(failed);
  return (step, make) => (Object.hasOwn(RULES, step.verb) ? RULES[step.verb]!(make, state) : undefined);
}

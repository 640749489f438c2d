/**
 * A scenario that was written for one interface, as the calls that do the same through another (SBS-01 .. SBS-03). What has no
 * counterpart there is left out; the comparison shows the gap.
 *
 *   type1                        iommufd
 *   container                    address space (IOAS) in an iommufd
 *   group file                   character device of the group's device
 *   SET_CONTAINER                BIND; ATTACH as well, once the container has its back end
 *   SET_IOMMU                    ATTACH of what is bound
 *   GET_DEVICE_FD                nothing: the program has it; for a second device of the group open, BIND, ATTACH
 */
import type { ActionDescription, ApiChoice, StepDescription, SubjectId } from '../../simulator/description.js';
import { toIommufd } from './to-iommufd.js';
import { toType1 } from './to-type1.js';
import { StepMaker } from './step-maker.js';

/** The group of a device, by any name that is the same for all of its members. */
export type GroupOf = (device: SubjectId) => string;

export interface TranslatedAction {
  readonly action: ActionDescription;
  /** The statement that it stands for. */
  readonly origin: SubjectId;
}

/** Turns one step into the calls that do the same; undefined: the step means the same here. */
export type Translator = (step: StepDescription, make: StepMaker) => readonly StepDescription[] | undefined;

export function translateScenario(actions: readonly ActionDescription[], uapi: ApiChoice, groupOf: GroupOf, failed: ReadonlySet<SubjectId>): TranslatedAction[] {
  const translators = new Map<string, Translator>();
  return actions.flatMap((action): TranslatedAction[] => {
    if (action.kind === 'dma') return [{ action: { ...action, text: withoutExpectation(action.text), expect: undefined }, origin: action.id }];
    let translate = translators.get(action.process);
    if (translate === undefined) translators.set(action.process, (translate = translatorTo(uapi, groupOf, failed)));
    const plain: StepDescription = { ...action, text: withoutExpectation(action.text), expect: undefined };
    const steps = translate(plain, new StepMaker(plain)) ?? [plain];
    return steps.map((step) => ({ action: step, origin: action.id }));
  });
}

function translatorTo(uapi: ApiChoice, groupOf: GroupOf, failed: ReadonlySet<SubjectId>): Translator {
  if (uapi === 'iommufd') return toIommufd(failed);
  const type1 = toType1(groupOf, failed);
  return uapi === 'type1' ? type1 : onIommufd(type1);
}

/** CMP-01: the calls of type1 on an iommufd. */
const onIommufd = (translate: Translator): Translator => (step, make) => {
  const steps = translate(step, make) ?? [step];
  return steps.map((each) => (each.verb === 'open-container' ? { ...each, verb: 'open-iommufd', text: each.text.replace('open-container', 'open-iommufd') } : each));
};

/** Expectations are for the model that a statement was written for. */
export const withoutExpectation = (text: string): string => text.replace(/\s+expect\s.*$/s, '');

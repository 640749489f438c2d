/** The models that a file can be run under: which interface programs use, on which kernel. */
import type { ApiChoice, MachineDescription, ScenarioDescription, SubjectId } from '../../simulator/description.js';
import { PROFILES, versionNumber } from '../../simulator/kernel/profile.js';
import { translateScenario, type GroupOf } from './translate.js';

export interface Model {
  /** "type1@5.13". */
  readonly name: string;
  readonly uapi: ApiChoice;
  readonly kernel: string;
}

/** The kernel of the discussion of June 2021, and the newest one. */
export const DEFAULT_MODELS = ['type1@5.13', 'iommufd@6.19'] as const;

const UAPIS: Readonly<Record<ApiChoice, string>> = { type1: 'VFIO type1', iommufd: 'iommufd', 'iommufd-container': 'iommufd as container' };

/** @returns null when it is no "UAPI@VERSION" */
export function modelNamed(name: string): Model | null {
  const [uapi, kernel, ...more] = name.trim().split('@');
  if (uapi === undefined || kernel === undefined || more.length > 0 || !Object.hasOwn(UAPIS, uapi) || versionNumber(kernel) === null) return null;
  return { name: `${uapi}@${kernel}`, uapi: uapi as ApiChoice, kernel };
}

/** For messages about a name that is none. */
export const MODEL_SYNTAX = `UAPI@VERSION, where UAPI is ${Object.keys(UAPIS).join(', ')}: for example ${DEFAULT_MODELS.join(' or ')}`;

/** What a person may choose from: every interface on every kernel that has it. */
export function modelChoices(also: readonly Model[]): Model[] {
  const offered = (Object.keys(UAPIS) as ApiChoice[]).flatMap((uapi) =>
    PROFILES.filter((profile) => uapi === 'type1' || (uapi === 'iommufd' ? profile.cdev : profile.iommufd)).map(({ name }): Model => ({ name: `${uapi}@${name}`, uapi, kernel: name })));
  return [...offered, ...also.filter(({ name }) => !offered.some((each) => each.name === name))];
}

export const modelTitle = ({ uapi, kernel }: Model): string => `${UAPIS[uapi]}, Linux ${kernel}`;

export interface UnderModel {
  readonly description: MachineDescription;
  /** By the identity of a translated step: the statement that it stands for. */
  readonly origins: ReadonlyMap<SubjectId, SubjectId>;
}

/**
 * The file as it would have been written for the model: its kernel everywhere, owners go through its interface, and steps of
 * scenarios become the calls that do the same there. Expectations belong to the model that they were written for and are dropped.
 * @param failed steps of an earlier run under this model that were refused: a program tries them again where it had to wait
 */
export function withModel(description: MachineDescription, model: Model, groupOf: GroupOf, failed: ReadonlySet<SubjectId> = new Set()): UnderModel {
  const origins = new Map<SubjectId, SubjectId>();
  const scenarios = description.scenarios.map((scenario): ScenarioDescription => {
    const actions = translateScenario(scenario.actions, model.uapi, groupOf, failed).map(({ action, origin }) => {
      origins.set(action.id, origin);
      return action;
    });
    return { ...scenario, kernelVersion: model.kernel, actions };
  });
  return {
    origins,
    description: {
      ...description, scenarios,
      hosts: description.hosts.map((host) => ({ ...host, kernel: { ...host.kernel, version: model.kernel } })),
      owners: description.owners.map((owner) => ({ ...owner, through: model.uapi })),
    },
  };
}

/** Which errors of the text keep a part of a file from being played: what is written wrongly is left out of the description. */
import type { Place, Problem } from '../../language/index.js';
import type { MachineDescription, SubjectId } from '../simulator/description.js';

type Places = ReadonlyMap<SubjectId, Place>;

/** Errors in the statement itself, and those outside of every scenario: what a host lacks concerns all that is played on it. */
export function problemsOf(statement: SubjectId, { scenarios }: MachineDescription, places: Places, problems: readonly Problem[]): readonly Problem[] {
  const errors = problems.filter(({ severity }) => severity === 'error');
  const others = scenarios.filter(({ id }) => id !== statement).flatMap(({ id }) => places.get(id) ?? []);
  return errors.filter((error) => !others.some((place) => holds(place, error)));
}

const holds = ({ uri, range }: Place, error: Problem): boolean =>
  uri === error.uri && range.start.line <= error.range.start.line && error.range.start.line <= range.end.line;

/** "line 12: Nothing is called `gpux`." */
export const problemText = ({ range, message }: Problem): string => `line ${range.start.line + 1}: ${message}`;

/** How a run over recorded facts is counted. */
export interface Outcome {
  /** The model answers as reality did. */
  agree: number;
  differ: number;
  /** Reality depends on something that the record does not show, and the model says so. */
  unknown: number;
  /** Not modelled: never counted as agreeing. */
  notCovered: number;
  /** One line each: where, what was recorded, what the model says. */
  differences: string[];
}

export const noOutcome = (): Outcome => ({ agree: 0, differ: 0, unknown: 0, notCovered: 0, differences: [] });

export const sum = (outcomes: readonly Outcome[]): Outcome => outcomes.reduce((total, each) => ({
  agree: total.agree + each.agree, differ: total.differ + each.differ, unknown: total.unknown + each.unknown, notCovered: total.notCovered + each.notCovered,
  differences: [...total.differences, ...each.differences],
}), noOutcome());

/** Answers from one keystroke to the next. A host that did not change keeps its report, and with it the answers about it. */
import type { HostDescription, SubjectId } from '../simulator/description.js';
import type { HostReport } from '../simulator/report.js';
import { whatIf, type WhatIf } from './what-if.js';

const known = new WeakMap<HostReport, Map<string, WhatIf>>();

/** @param report of this host: what is remembered hangs on it */
export function rememberedWhatIf(report: HostReport, host: HostDescription, device: SubjectId, others: readonly SubjectId[]): WhatIf {
  let answers = known.get(report);
  if (answers === undefined) known.set(report, (answers = new Map()));
  const key = JSON.stringify([device, ...others]);
  let answer = answers.get(key);
  if (answer === undefined) answers.set(key, (answer = whatIf(host, device, others)));
  return answer;
}

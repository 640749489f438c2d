/** What a statement expects against what happened, both in the words of the language. */
import type { Expectation, SubjectId } from '../description.js';
import type { DmaReport, ExpectationReport } from '../report.js';
import { hex } from '../memory/address.js';
import { faultCodeText } from '../trace/events.js';

/** Says things by name, as the file does. */
export type NameOf = (subject: SubjectId) => string;

/** `expect …` as it is written. @param decimal how the fault is counted that there was */
export function expectationText(expectation: Expectation, nameOf: NameOf, decimal?: true): string {
  switch (expectation.kind) {
    case 'errno': return expectation.errno;
    case 'fault': return expectation.code === undefined ? 'fault' : `fault ${faultCodeText({ code: expectation.code, ...(decimal && { decimal }) })}`;
    case 'peer': return expectation.device === undefined ? 'peer' : `peer ${nameOf(expectation.device)}`;
    case 'address': return `address ${hex(expectation.address)}`;
    case 'value': return `value ${expectation.value}`;
    default: return expectation.kind;
  }
}

/** A call succeeded with `value`, or was refused with `result`. */
export function judgeStep(expectation: Expectation | undefined, result: string, value: bigint | undefined, nameOf: NameOf): ExpectationReport | undefined {
  if (expectation === undefined) return undefined;
  const expected = expectationText(expectation, nameOf);
  if (expectation.kind === 'value') {
    const actual = result === 'ok' ? (value === undefined ? 'ok' : `value ${value}`) : result;
    return { met: result === 'ok' && value === expectation.value, expected, actual };
  }
  return { met: expected === result, expected, actual: result };
}

export function judgeDma(expectation: Expectation | undefined, report: Omit<DmaReport, 'expectation'>, nameOf: NameOf): ExpectationReport | undefined {
  if (expectation === undefined) return undefined;
  return { met: dmaMeets(expectation, report), expected: expectationText(expectation, nameOf, report.fault?.decimal), actual: outcomeText(report, nameOf) };
}

function dmaMeets(expectation: Expectation, report: Omit<DmaReport, 'expectation'>): boolean {
  switch (expectation.kind) {
    case 'ok': return report.outcome === 'memory';
    case 'interrupt': return report.outcome === 'interrupt';
    case 'address': return report.address === expectation.address;
    case 'peer': return report.outcome === 'peer' && (expectation.device === undefined || expectation.device === report.peer);
    case 'fault': return report.outcome === 'fault' && (expectation.code === undefined || expectation.code === report.fault?.code);
    case 'blocked': return report.outcome === 'blocked' || report.outcome === 'dropped';
    default: return false;
  }
}

function outcomeText(report: Omit<DmaReport, 'expectation'>, nameOf: NameOf): string {
  const at = report.address === undefined ? '' : ` at address ${hex(report.address)}`;
  switch (report.outcome) {
    case 'memory': return `memory${at}`;
    case 'peer': return `peer ${report.peer === undefined ? '' : nameOf(report.peer)}${at}`;
    case 'fault': return report.fault === undefined ? 'fault' : `fault ${faultCodeText(report.fault)} (${report.fault.name})`;
    default: return report.outcome;
  }
}

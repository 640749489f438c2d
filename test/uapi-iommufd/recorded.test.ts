/** Recorded runs of real kernels: every operation on /dev/iommu and on character devices must be answered as recorded. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runRecord } from '../conformance/kernel.js';
import { IOMMUFD_OPERATIONS } from '../conformance/kernel-operations-iommufd.js';
import { parseOperation, readResult, resultFiles, type RecordedRun } from '../conformance/kernel-record.js';
import { noOutcome } from '../conformance/outcome.js';

const RESULTS = join(import.meta.dirname, '../../../shared/facts/kernel/results');

/** Where the record is no answer to what the simulator was asked; why. */
const EXPLAINED: ReadonlyMap<string, string> = new Map([
  ['fuzz-own-004 own-4-12', 'the probing process was busy, so an unbind that the record lists was never asked for'],
  ['fuzz-own-005 own-5-3', 'an unresolved `close` of the probe closed descriptor 0, which was a bound character device'],
]);
/** The unit has no second stage (FINDINGS 24), which a description cannot say. */
const FIRST_STAGE_ONLY = /sm-fsts/;

const touchesIommufd = (run: RecordedRun): boolean => run.sequences.some(({ ops }) => ops.some((operation) => parseOperation(operation).operation in IOMMUFD_OPERATIONS));

/** Differences of operations that are this room's, one line each. */
function differences(file: string): string[] {
  const outcome = noOutcome();
  runRecord(readResult(file)!, outcome);
  return outcome.differences.filter((line) => {
    const [, where, operation] = /^(\S+ \S+) #\d+: "(?:[@~]\S+ )*(\w+)/.exec(line) ?? [];
    return operation !== undefined && operation in IOMMUFD_OPERATIONS && !EXPLAINED.has(where ?? '');
  });
}

describe.skipIf(!existsSync(RESULTS))('recorded operations on /dev/iommu and character devices (skipped without ../shared/facts)', () => {
  const files = existsSync(RESULTS) ? resultFiles(RESULTS).filter((file) => !FIRST_STAGE_ONLY.test(file)) : [];
  const found = files.filter((file) => {
    const run = readResult(file);
    return run !== null && touchesIommufd(run);
  });
  it('are many', () => expect(found.length).toBeGreaterThan(100));
  it.each(found.map((file): [string, string] => [basename(file, '.json'), file]))('%s', (_name, file) => {
    expect(differences(file)).toEqual([]);
  });
});

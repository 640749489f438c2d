/** Recorded runs of real kernels: every operation on /dev/iommu and on character devices must be answered as recorded. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runKernel } from '../conformance/kernel.js';

const RESULTS = join(import.meta.dirname, '../../../shared/facts/kernel/results');
const OPERATIONS =
  /^(open_iommufd|destroy|ioas_\w+|iommufd_option|vfio_ioas|hwpt_\w+|hw_info|dirty_\w+|fault_alloc|viommu_alloc|open_cdev|bind_iommufd|attach|detach)$/;

/** Where the record is no answer to what the simulator was asked; why. */
const EXPLAINED: ReadonlyMap<string, string> = new Map([
  ['fuzz-own-004 own-4-12', 'the probing process was busy, so an unbind that the record lists was never asked for'],
  ['fuzz-own-005 own-5-3', 'an unresolved `close` of the probe closed descriptor 0, which was a bound character device'],
]);
/** The unit has no second stage (FINDINGS 24), which a description cannot say. */
const FIRST_STAGE_ONLY = /sm-fsts/;

/** Differences of operations that are this room's, one line each. */
const differences = (file: string): string[] => runKernel(file).differences.filter((line) => {
  const [, where, operation] = /^(\S+ \S+) #\d+: "(?:[@~]\S+ )*(\w+)/.exec(line) ?? [];
  return operation !== undefined && OPERATIONS.test(operation) && !EXPLAINED.has(where ?? '');
});

describe.skipIf(!existsSync(RESULTS))('recorded operations on /dev/iommu and character devices (skipped without ../shared/facts)', () => {
  const files = existsSync(RESULTS) ? readdirSync(RESULTS).filter((name) => name.endsWith('.json') && !FIRST_STAGE_ONLY.test(name)).map((name) => join(RESULTS, name)) : [];
  const found = files.filter((file) => /open_iommufd|open_cdev/.test(readFileSync(file, 'utf8')));
  it('are many', () => expect(found.length).toBeGreaterThan(100));
  it.each(found.map((file): [string, string] => [basename(file, '.json'), file]))('%s', (_name, file) => {
    expect(differences(file)).toEqual([]);
  });
});

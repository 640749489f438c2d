/** What the kernel logs, and what a step says of itself. */
import { describe, expect, it } from 'vitest';
import type { StepReport } from '../../server/simulator/report.js';
import { runOf, stepsOf } from '../scenario/simulate-text.js';
import { simulateFile } from './run-file.js';

const files = {
  scenarios: await simulateFile('test/fixtures/ioasid/S72-S78.iommu'),
  merged: await simulateFile('test/fixtures/ioasid/merged.iommu'),
  proposal: await simulateFile('test/fixtures/ioasid/proposal.iommu'),
  today: await simulateFile('test/fixtures/ioasid/today.iommu'),
};

const steps = (file: keyof typeof files, run: string): StepReport[] => stepsOf(runOf(files[file].report, run));
const log = (file: keyof typeof files, run: string): string[] => steps(file, run).flatMap((step) => step.messages);
const said = (step: StepReport | undefined): string => (step?.trace ?? []).map((event) => event.text).join(' ');

describe('the kernel log', () => {
  it('IOA-02: of an allocation without a free number', () => {
    expect(log('merged', 'IOA-02: the lowest free number, or INVALID without errno')).toEqual(['Failed to alloc ioasid from 5 to 6', 'Failed ASID allocation 0']);
  });

  it('IOA-03: of a put of an unknown number', () => {
    expect(log('merged', 'IOA-03: counted from 5.12 to 5.17')).toEqual(['Trying to free unknown IOASID 1']);
  });

  it('IOA-05, S73: of custom allocators', () => {
    expect(log('scenarios', 'S73: a custom allocator comes too late')).toEqual(['Default allocator active with outstanding IOASID']);
    expect(log('merged', 'IOA-05: custom allocators')).toEqual(['IOASID allocator already registered', 'IOASID allocator changed', 'No custom IOASID allocators, switch to default.']);
  });

  it('IOX-01, IOX-02: of capacity and sets', () => {
    expect(log('proposal', 'IOX-01: capacity')).toEqual(['IOASID capacity is already set.']);
    expect(log('proposal', 'IOX-02: types, tokens, quotas')).toEqual([
      'Invalid token and IOASID type', 'Out of IOASID capacity! ask 1048577, avail 1048576', 'Out of IOASID capacity! ask 524289, avail 524288', 'Out of IOASID capacity! ask 1, avail 0',
    ]);
  });

  it('IOX-04, S74: of a full set', () => expect(log('scenarios', 'S74: the third of two')).toEqual(['IOASID set out of quota 2']));

  it('IOX-05, S76: of references that are refused; the text of the second has no blank', () => {
    expect(log('scenarios', 'S76: nothing new for what is being freed')).toEqual(['Trying to get IOASID being freed1']);
    expect(log('proposal', 'IOX-05: whose number it is')).toEqual([
      'Trying to get IOASID 1 outside the set', 'Trying to get unknown IOASID 9', 'Trying to drop IOASID 1 outside the set', 'Trying to put unknown IOASID 9',
    ]);
  });

  it('IOX-06: of a free that is refused', () => {
    expect(log('proposal', 'IOX-06: IDLE, ACTIVE, FREE_PENDING, FREE')).toEqual(['Cannot free IOASID 1 due to set ownership', 'Trying to free unknown IOASID 77']);
  });

  it('IOX-09, S77: of a charge that fails: EAGAIN is 11', () => {
    expect(log('scenarios', 'S77: a new cgroup has nothing')).toEqual(Array(2).fill('ioasids_cg: ioasid_cg_charge: Unable to charge IOASID -11'));
  });

  it('IOX-10: of an unknown ioctl', () => expect(log('proposal', 'IOX-10: /dev/ioasid')).toContain('Unsupported cmd 153'));
});

describe('what a step says', () => {
  it('IOX-06: its state by name', () => {
    const states = steps('proposal', 'IOX-06: IDLE, ACTIVE, FREE_PENDING, FREE').filter((step) => step.text.startsWith('ioasid-state'));
    expect(states.map((step) => step.value?.['state'])).toEqual(['IDLE']);
  });

  it('IOX-07: who hears, in which order; only the end of a number goes to everybody', () => {
    const heard = steps('proposal', 'IOX-07: subscribers').flatMap((step) => step.trace).filter((event) => event.rules.includes('IOX-07')).map((event) => event.text);
    expect(heard.filter((text) => text.includes('goes to'))).toEqual([
      'ALLOC of IOASID 1 goes to kvm (cpu), then vtd (iommu), then idxd (device).',
      'BIND of IOASID 1 goes to kvm (cpu), then vtd (iommu), then idxd (device).',
      'UNBIND of IOASID 1 goes to kvm (cpu), then vtd (iommu), then idxd (device).',
      'FREE of IOASID 1 goes to system (cpu), then kvm (cpu), then vtd (iommu), then idxd (device).',
    ]);
  });

  it('IOX-03: the quota that nobody gets back', () => {
    const freed = steps('proposal', 'IOX-03: a set ends with its last number, and its quota is lost').find((step) => step.text.startsWith('ioasid-free'));
    expect(said(freed)).toContain('is lost');
  });

  it.each([
    ['ioasid-set-alloc', 'HIS-03', 'iommufd context'], ['ioasid-attach-spid', 'HIS-03', 'nested page table'], ['open-ioasid', 'HIS-02', '/dev/iommu'], ['cgroup-create', 'HIS-01', 'misc'],
    ['ioasid-register-notifier', 'THR-02', 'a call of its own'], ['ioasid-put', 'HIS-04', 'attach DEVICE to HWPT pasid N'],
  ])('today %s is answered with what replaced it (%s)', (verb, rule, text) => {
    const step = steps('today', 'the old calls').find((each) => each.text.startsWith(verb));
    expect([step?.result, step?.rules]).toEqual([/^(open|cgroup)/.test(verb) ? 'ENOENT' : 'ENOSYS', [rule]]);
    expect(said(step)).toContain(text);
  });

  it('HIS-04: an allocation that names its device has become a global PASID', () => {
    expect(said(steps('today', 'the old calls').find((step) => step.text.startsWith('ioasid-alloc a')))).toContain('iommu_alloc_global_pasid(0000:01:00.0)');
  });
});

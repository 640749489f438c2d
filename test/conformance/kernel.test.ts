/** Recorded answers of real kernels: whatever differs belongs to a class that is understood. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseOperation } from './kernel-record.js';
import { runKernel } from './kernel.js';

const FACTS = join(import.meta.dirname, '../../../shared/facts/kernel');

/** Where the record differs from the model, and why that is so. */
const UNDERSTOOD: readonly { readonly difference: RegExp; readonly why: string }[] = [
  { difference: /-sm-fsts\S* .*recorded ".*fault reason 0x5b\] .*modelled ".*fault reason 0x59\]/, why: "QEMU judges the type of a PASID entry and never its present bit, so it names an absent one invalid" },
  { difference: /-sm-fsts\S* .*recorded ".*fault reason 0x02\] .*modelled ".*fault reason 0x41\]/, why: "QEMU gives an absent context entry legacy mode's number in scalable mode too" },
  { difference: /^dma-above-aw-\S* .*recorded ".*(fault addr 0x0|fault addr 0|at 0x0) /, why: "QEMU cuts an address to the unit's width before it looks at it, and finds nothing at 0" },
  { difference: /^dma-msi-window-intel.*INTR-REMAP/, why: "QEMU lets compatibility-format interrupts pass, which VT-d's specification blocks" },
  { difference: /^dma-cdev-\S*-amd .*recorded null, modelled "IO_PAGE_FAULT"/, why: 'a device table entry with V=1 and TV=0: the manual can be read as logged or as a silent abort (QEMU)' },
  { difference: /^ops-noiommu-none-k73 .*"ls/, why: 'kernels after 7.1 have character devices without an IOMMU' },
];

describe.skipIf(!existsSync(FACTS))('recorded kernel operations (skipped without ../shared/facts)', () => {
  test('the model agrees, or the difference is understood', { timeout: 120_000 }, () => {
    const { agree, differences } = runKernel(FACTS);
    expect(differences.filter((difference) => !UNDERSTOOD.some((each) => each.difference.test(difference)))).toEqual([]);
    expect(agree).toBeGreaterThan(80_000);
  });
});

describe('lines of operations', () => {
  test('process, time limit, operation and quoted values', () => {
    const line = parseOperation({ in: '@p1 ~400 write path=/x data="8086 10d3" force', op: 'write' });
    expect([line.process, line.operation]).toEqual(['p1', 'write']);
    expect([...line.values]).toEqual([['path', '/x'], ['data', '8086 10d3'], ['force', '1']]);
  });

  test('an operation as an object', () => {
    const line = parseOperation({ in: { op: 'map', proc: 'p2', iova: '0x1000' }, op: 'map' });
    expect([line.process, line.operation, line.values.get('iova')]).toEqual(['p2', 'map', '0x1000']);
  });
});

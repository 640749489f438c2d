/** Nothing grows faster than the file. Times are on-CPU, as ratios of two sizes in one run. */
import { EmptyFileSystem, URI } from 'langium';
import { describe, expect, it } from 'vitest';
import { createIommuServices } from '../../language/editor/index.js';
import { lowerDocument } from '../../language/index.js';

/** About ten lines each: a port with a function, a group, a VM, questions, steps. */
const unit = (i: number): { host: string; rest: string; step: string } => ({
  host: `  root-port rp${i} {\n    acs SV, RR, CR, UF\n    function gpu${i} {\n      id 10de:2484  class vga  driver vfio-pci\n      bar 0 at ${BigInt(i) * 0x1_0000n} size 64KiB\n      ats  pasid 20\n    }\n  }\n`,
  rest: `vm vm${i} on big { memory 1GiB  assign gpu${i} }\ndma gpu${i} read 0x1000 size 64 expect ok\n`,
  step: `  by p${i} open-container c${i}\n  by p${i} map c${i} iova 0x1000 size 4KiB from vm${i}.memory rw expect ok\n`,
});

function file(units: number): string {
  const all = Array.from({ length: units }, (_, i) => unit(i));
  return `host big {\n${all.map((it) => it.host).join('')}}\n${all.map((it) => it.rest).join('')}scenario "s" on big {\n${all.map((it) => it.step).join('')}}\n`;
}

async function cpuMilliseconds(units: number): Promise<{ milliseconds: number; lines: number }> {
  const services = createIommuServices(EmptyFileSystem);
  const { LangiumDocumentFactory, LangiumDocuments, DocumentBuilder } = services.shared.workspace;
  const text = file(units);
  const before = process.cpuUsage();
  const document = LangiumDocumentFactory.fromString(text, URI.parse('file:///big.iommu'));
  LangiumDocuments.addDocument(document);
  await DocumentBuilder.build([document], { validation: true });
  const { description } = lowerDocument(document, services);
  const { user, system } = process.cpuUsage(before);
  expect(description.scenarios[0]!.actions).toHaveLength(2 * units);
  expect(description.owners).toHaveLength(units);
  return { milliseconds: (user + system) / 1000, lines: text.split('\n').length };
}

describe('throughput', () => {
  it('of parsing, linking, checking and lowering is linear in the file', async () => {
    await cpuMilliseconds(60);
    const small = await cpuMilliseconds(105);
    const large = await cpuMilliseconds(840);
    expect(large.lines).toBeGreaterThan(10_000);
    // Eight times the file: quadratic work would take 64 times the time.
    expect(large.milliseconds / small.milliseconds).toBeLessThan(32);
    console.log(`${small.lines} lines ${small.milliseconds.toFixed(0)} ms, ${large.lines} lines ${large.milliseconds.toFixed(0)} ms on CPU`);
  });
});

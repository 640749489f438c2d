/** What the person at the keyboard waits for, through the bundled server over stdio; sizes of what is shipped. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parseFiles } from '../../language/index.js';
import { analyse } from '../../server/analysis/analysis.js';
import { RememberedRuns } from '../../server/analysis/remembered.js';
import { Client } from '../lsp/client.js';
import type { Benchmark, Measurement } from './main.js';
import { hostFile, median, sampleFile } from './sample.js';

const EDITS = 9;

/** Keystroke to diagnostics, median of a few edits at the end of a line in the middle. */
async function keystroke(lines: number): Promise<number> {
  const client = await Client.start(join(process.cwd(), 'dist/server.cjs'));
  const uri = `file:///bench-${lines}.iommu`;
  const text = sampleFile(lines);
  await client.open(uri, text);
  const line = Math.floor(text.split('\n').length / 2);
  const times: number[] = [];
  for (let edit = 0; edit < EDITS; edit++) {
    const started = performance.now();
    await client.change(uri, edit % 2 === 0 ? ' ' : '', { start: { line, character: 0 }, end: { line, character: edit % 2 === 0 ? 0 : 1 } });
    times.push(performance.now() - started);
  }
  await client.stop();
  return median(times);
}

const typing = (lines: number, goal: number): Benchmark => ({
  name: `keystroke to diagnostics, ${lines.toLocaleString('en')} lines`,
  run: async (): Promise<Measurement> => ({ value: await keystroke(lines), unit: 'ms', goal, better: 'lower' }),
});

const simulationShare: Benchmark = {
  name: 'simulation against parse + link + lower, 1,000 lines',
  run: async (): Promise<Measurement> => {
    const text = sampleFile(1000);
    const files = [{ uri: 'file:///share.iommu', text }];
    const parse: number[] = [];
    const simulate: number[] = [];
    for (let round = 0; round < EDITS; round++) {
      const started = performance.now();
      const { lowered } = await parseFiles(files, 'file:///share.iommu');
      const parsed = performance.now();
      analyse(lowered.description, (_what, error) => { throw error; });
      parse.push(parsed - started);
      simulate.push(performance.now() - parsed);
    }
    return { value: median(simulate) / median(parse), unit: '×', goal: 1, better: 'lower', against: `parse ${median(parse).toFixed(1)} ms, simulation ${median(simulate).toFixed(1)} ms` };
  },
};

/** A large host of which one function changes its driver: nothing of the last run answers, everything is simulated anew. */
const resimulation: Benchmark = {
  name: 'one edit in a host of 10,000 functions: simulation against parse + link + lower',
  run: async (): Promise<Measurement> => {
    const runs = new RememberedRuns();
    const parse: number[] = [];
    const simulate: number[] = [];
    for (let round = 0; round < EDITS; round++) {
      const started = performance.now();
      const { lowered } = await parseFiles([{ uri: 'file:///large.iommu', text: hostFile(10_000, round % 2 === 0 ? 'igb' : 'vfio-pci') }], 'file:///large.iommu');
      const parsed = performance.now();
      runs.simulate(lowered.description);
      parse.push(parsed - started);
      simulate.push(performance.now() - parsed);
    }
    return { value: median(simulate) / median(parse), unit: '×', goal: 1, better: 'lower', against: `parse ${median(parse).toFixed(0)} ms, simulation ${median(simulate).toFixed(0)} ms` };
  },
};

/** A hundred scenarios on one large host, nothing remembered: each boots the host for itself, from one plan. */
const firstSimulation: Benchmark = {
  name: 'first simulation of 10,000 lines, 100 scenarios, against parse + link + lower',
  run: async (): Promise<Measurement> => {
    const started = performance.now();
    const { lowered } = await parseFiles([{ uri: 'file:///first.iommu', text: sampleFile(10_000) }], 'file:///first.iommu');
    const parsed = performance.now();
    new RememberedRuns().simulate(lowered.description);
    const [parse, simulate] = [parsed - started, performance.now() - parsed];
    return { value: simulate / parse, unit: '×', goal: 2, better: 'lower', against: `parse ${parse.toFixed(0)} ms, simulation ${simulate.toFixed(0)} ms` };
  },
};

const terminal: Benchmark = {
  name: 'terminal check of 1,000 lines, cold',
  run: (): Measurement => {
    const file = join(mkdtempSync(join(tmpdir(), 'iommu-bench-')), 'bench.iommu');
    writeFileSync(file, sampleFile(1000));
    const times = Array.from({ length: 5 }, () => {
      const started = performance.now();
      spawnSync(process.execPath, ['dist/iommu.cjs', 'check', file]);
      return performance.now() - started;
    });
    return { value: median(times), unit: 'ms', goal: 400, better: 'lower' };
  },
};

const size = (name: string, path: string, goal: number, zipped: boolean): Benchmark => ({
  name,
  run: (): Measurement => {
    if (!existsSync(path)) throw new Error(`${path} is not built; run: npm run package`);
    const bytes = zipped ? gzipSync(readFileSync(path)).length : statSync(path).size;
    return { value: bytes / 1024, unit: 'KiB', goal, better: 'lower' };
  },
});

export const benchmarks: readonly Benchmark[] = [
  typing(200, 16), typing(1000, 60), typing(10_000, 250), simulationShare, firstSimulation, resimulation, terminal,
  size('web view script, gzipped', 'dist/trace.js', 100, true), size('extension package', 'vfio-workbench.vsix', 1536, false),
];

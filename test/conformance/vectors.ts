/**
 * Runs recorded questions to independent hardware models (tables in raw form, DMA requests) and compares the answers.
 * A folder holds `NAME.cases.txt[.gz]` and `NAME.results.txt[.gz]`; its README describes the format. Beyond it:
 *
 *     unit scalable first-stage dt aw=39    what the unit of the following cases has
 *     irta X                                the case remaps interrupts: value of IRTA
 *     irq DEVFN ADDRESS DATA                four bytes written to the interrupt window; "OK interrupt" or a fault
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { noOutcome, type Outcome } from './outcome.js';
import { readCases, readLines, readResults, type Case } from './vector-case.js';
import { runAmdCase } from './vectors-amdvi.js';
import { runRiscvCases } from './vectors-riscv.js';
import { runSmmuCase } from './vectors-smmuv3.js';
import { runVirtioFile } from './vectors-virtio.js';
import { runVtdCase } from './vectors-vtd.js';

/**
 * Requests to architectures without a runner are not covered; recorded answers in a form that says too little, unknown.
 * @param path a folder (searched with its subfolders) or one cases file
 */
export function runVectors(path: string): Outcome {
  const totals = noOutcome();
  for (const file of caseFiles(path)) {
    const runFile = FILE_RUNNERS[architectureOf(file) ?? ''];
    if (runFile !== undefined) {
      runFile(file, readResults(join(dirname(file), basename(file).replace('cases', 'results'))), totals);
      continue;
    }
    const runCase = RUNNERS[architectureOf(file) ?? ''];
    if (runCase === undefined) {
      totals.notCovered += readLines(file).filter((line) => line.startsWith('req')).length;
      continue;
    }
    const results = resultsOf(file);
    for (const item of readCases(file)) runCase(item, results, totals);
  }
  return totals;
}

/** `NAME.results.txt[.gz]`, or `NAME.PART.results.txt[.gz]` of those that were asked apart. */
function resultsOf(file: string): ReadonlyMap<string, string> {
  const name = basename(file).split('.cases.')[0]!;
  const parts = readdirSync(dirname(file)).filter((other) => other.startsWith(`${name}.`) && /^[\w-]+\.results\.txt(\.gz)?$/.test(other.slice(name.length + 1)));
  if (parts.length === 0) return readResults(file.replace('.cases.', '.results.'));
  return new Map(parts.flatMap((part) => [...readResults(join(dirname(file), part))]));
}

function caseFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /cases\.txt(\.gz)?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

const ARCHITECTURES = ['vtd', 'amdvi', 'smmuv3', 'riscv', 'virtio'];
const RUNNERS: Readonly<Record<string, (item: Case, results: ReadonlyMap<string, string>, totals: Outcome) => void>> = { vtd: runVtdCase, amdvi: runAmdCase, smmuv3: runSmmuCase };

/** Of architectures whose cases are written in a way of their own. */
const FILE_RUNNERS: Readonly<Record<string, (file: string, results: ReadonlyMap<string, string>, totals: Outcome) => void>> = { riscv: runRiscvCases, virtio: runVirtioFile };

/** By the folder's name, else by the first architecture that its README's title names. */
function architectureOf(file: string): string | undefined {
  const folder = basename(dirname(file)).toLowerCase();
  const named = ARCHITECTURES.find((name) => folder.includes(name));
  if (named !== undefined) return named;
  const readme = join(dirname(file), 'README.md');
  const title = existsSync(readme) ? readFileSync(readme, 'utf8').split('\n')[0]!.toLowerCase().replace('vt-d', 'vtd') : '';
  return ARCHITECTURES.find((name) => title.includes(name));
}

/**
 * `npm run bench`: the goals for performance, measured in one run. `--gate` checks the ratios with slack for a loaded
 * machine and ends with `N passed, N failed`.
 */
import { benchmarks as hardware } from './hardware.js';
import { benchmarks as groups } from './groups.js';
import { benchmarks as editing } from './editing.js';

export interface Measurement {
  readonly value: number;
  readonly unit: string;
  /** What the goal says: `value` must be at least or at most this. */
  readonly goal: number;
  readonly better: 'higher' | 'lower';
  /** What it is measured against, in words. */
  readonly against?: string;
}

export interface Benchmark {
  readonly name: string;
  run(): Measurement | Promise<Measurement>;
}

/** A shared machine is up to this many times slower than the goals' quiet one. */
const SLACK = 3;

const gate = process.argv.includes('--gate');
const only = process.argv.slice(2).find((each) => !each.startsWith('--'));
let passed = 0;
let failed = 0;
for (const benchmark of [...hardware, ...groups, ...editing] as readonly Benchmark[]) {
  if (only !== undefined && !benchmark.name.includes(only)) continue;
  const { value, unit, goal, better, against } = await benchmark.run();
  const met = better === 'higher' ? value >= goal : value <= goal;
  const near = better === 'higher' ? value >= goal / SLACK : value <= goal * SLACK;
  if (near) passed++;
  else failed++;
  console.log(`${met ? 'met    ' : near ? 'near   ' : 'MISSED '} ${benchmark.name.padEnd(58)} ${format(value).padStart(10)} ${unit.padEnd(8)} goal ${better === 'higher' ? '>=' : '<='} ${format(goal)}${against === undefined ? '' : `  (${against})`}`);
}
console.log(`\n${passed} passed, ${failed} failed`);
if (gate && failed > 0) process.exitCode = 1;

function format(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

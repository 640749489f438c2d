/** `npm run --silent conformance -- hosts|kernel|vectors PATH [--list]`: runs recorded facts; the last line is JSON. */
import { existsSync } from 'node:fs';
import { runHosts } from './hosts.js';
import { runKernel } from './kernel.js';
import type { Outcome } from './outcome.js';
import { runVectors } from './vectors.js';

const RUNNERS: Readonly<Record<string, (path: string) => Outcome | Promise<Outcome>>> = { hosts: runHosts, kernel: runKernel, vectors: runVectors };

const [kind, path, ...options] = process.argv.slice(2);
const runner = kind !== undefined && Object.hasOwn(RUNNERS, kind) ? RUNNERS[kind] : undefined;
if (runner === undefined || path === undefined || options.some((option) => option !== '--list')) {
  console.error('usage: conformance hosts|kernel|vectors PATH [--list]');
  process.exit(2);
}
if (!existsSync(path)) {
  console.error(`conformance: ${path} does not exist`);
  process.exit(2);
}
const { differences, agree, differ, unknown, notCovered } = await runner(path);
if (options.includes('--list')) for (const line of differences) console.log(line);
console.log(JSON.stringify({ agree, differ, unknown, notCovered }));

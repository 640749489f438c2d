/**
 * The test command: everything that must hold before main moves, in one go. Each part prints its own lines and is counted;
 * the last line is `N passed, N failed`. `node test/run.mjs PART ...` runs some parts only.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
const scratch = join(root, '.cache/test');
const bin = (name) => join(root, 'node_modules/.bin', name);

/** Runs a program with its output shown; resolves to its exit code and what it printed. */
function run(command, args) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}` } });
    let output = '';
    child.stdout.on('data', (data) => { output += data; process.stdout.write(data); });
    child.on('error', (error) => { console.error(String(error)); done({ code: 1, output }); });
    child.on('close', (code) => done({ code: code ?? 1, output }));
  });
}

/** A tool that either holds or does not: one test. */
const single = (command, args) => async () => {
  const { code } = await run(command, args);
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
};

/** vitest, counted by its JSON report. */
async function unit() {
  const report = join(scratch, 'unit.json');
  const { code } = await run(bin('vitest'), ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]);
  try {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
    const brokenFiles = testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
    const failures = [
      ...brokenFiles.map((file) => `${relative(root, file.name)}: ${file.message}`),
      ...testResults.flatMap((file) => file.assertionResults.filter((test) => test.status === 'failed').map((test) => `${relative(root, file.name)}: ${test.fullName}\n${test.failureMessages[0] ?? ''}`)),
    ];
    return { passed: numPassedTests, failed: Math.max(numFailedTests + brokenFiles.length, code === 0 ? 0 : 1), failures };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

/** A program whose last line is `N passed, N failed`. */
const counted = (command, args) => async () => {
  const { code, output } = await run(command, args);
  const last = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
  if (last === undefined) return { passed: 0, failed: 1 };
  return { passed: Number(last[1]), failed: Math.max(Number(last[2]), code === 0 ? 0 : 1), failures: output.split('\n').filter((line) => /^(FAIL|not ok)/.test(line)) };
};

const PARTS = {
  build: single(process.execPath, ['esbuild.mjs']),
  types: single(bin('tsc'), ['--noEmit', '-p', '.']),
  'view-types': single(bin('tsc'), ['--noEmit', '-p', 'client/trace']),
  'compare-view-types': single(bin('tsc'), ['--noEmit', '-p', 'client/compare']),
  boundaries: single(bin('depcruise'), ['--config', '.dependency-cruiser.cjs', 'language', 'server', 'client', 'test']),
  docs: single(process.execPath, ['test/tools/run-ts.mjs', 'test/docs/generate.ts', '--check']),
  /** Installed where it is missing, before a test with a time limit needs it. */
  browser: single(process.execPath, ['--input-type=module', '--eval', "import { findChromium } from './test/e2e/browser.mjs'; console.log(findChromium());"]),
  unit,
  package: single('npm', ['run', '--silent', 'package']),
  budgets: counted(process.execPath, ['test/tools/run-ts.mjs', 'test/bench/main.ts', '--gate']),
  editors: counted(process.execPath, ['test/e2e/run.mjs']),
  neovim: counted(process.execPath, ['test/e2e/neovim.mjs']),
};

const wanted = process.argv.slice(2);
const stranger = wanted.find((name) => !Object.hasOwn(PARTS, name));
if (stranger !== undefined) {
  console.error(`no part is called ${stranger}; there are: ${Object.keys(PARTS).join(', ')}`);
  process.exit(2);
}
rmSync(scratch, { recursive: true, force: true });
mkdirSync(scratch, { recursive: true });
const total = { passed: 0, failed: 0 };
const summary = [];
/** Said again at the end, where whoever sees only the last lines looks. */
const allFailures = [];
for (const [name, part] of Object.entries(PARTS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const started = Date.now();
  console.log(`\n=== ${name}`);
  const { passed, failed, failures = [] } = await part();
  total.passed += passed;
  total.failed += failed;
  allFailures.push(...failures);
  summary.push(`${failed === 0 ? 'ok  ' : 'FAIL'} ${name.padEnd(12)} ${passed} passed, ${failed} failed  ${Math.round((Date.now() - started) / 1000)} s`);
  if (failed > 0 && name === 'build') break;
}
if (allFailures.length > 0) console.log(`\nFailed:\n${allFailures.map((failure) => failure.split('\n').slice(0, 4).join('\n    ')).join('\n')}`);
console.log(`\n${summary.map((line) => `  ${line}`).join('\n')}\n\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;

/**
 * The product in real VS Code, both kinds of extension host: `node test/e2e/run.mjs [--host node|web] [--vsix FILE]
 * [--images FOLDER] [--only TEXT] [--verbose]`. Packages the extension, opens a fresh copy of a workspace and does what a person would
 * do. One line per check; ends with "N passed, N failed".
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findChromium, withPage } from './browser.mjs';
import { FIRST, LAST, SESSIONS } from './checks.mjs';
import * as nodeHost from './node-host/host.mjs';
import * as webHost from './web-host/host.mjs';
import { Workbench } from './workbench.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const repository = resolve(here, '../..');
const { values: options } = parseArgs({
  options: { host: { type: 'string' }, only: { type: 'string' }, vsix: { type: 'string' }, images: { type: 'string', default: join(repository, 'docs/images') }, verbose: { type: 'boolean', default: false } },
});
const totals = { passed: 0, failed: 0 };

const report = (host, name, error, milliseconds) => {
  totals[error ? 'failed' : 'passed'] += 1;
  console.log(`${error ? 'not ok' : 'ok    '}  ${host.padEnd(4)}  ${name}  (${(milliseconds / 1000).toFixed(1)} s)`);
  if (error) console.log(`        ${String(error.message ?? error).split('\n').slice(0, options.verbose ? 40 : 4).join('\n        ')}`);
};

findChromium();
const vsix = options.vsix ? resolve(options.vsix) : packageExtension();
mkdirSync(options.images, { recursive: true });
for (const host of [nodeHost, webHost]) {
  if (!options.host || options.host === host.name) await runHost(host);
}
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed === 0 ? 0 : 1;

async function runHost(host) {
  const scratch = mkdtempSync(join(tmpdir(), 'iommu-e2e-'));
  const workspace = join(scratch, 'workspace');
  cpSync(join(here, 'workspace'), workspace, { recursive: true });
  cpSync(join(repository, 'examples/ryzen-desktop/lspci.txt'), join(workspace, 'lspci.txt'));
  cpSync(join(repository, 'examples/mdev-2021.iommu'), join(workspace, 'mdev-2021.iommu'));
  try {
    const served = await host.startHost({ vsix, workspace, data: join(scratch, 'data'), port: await freePort() });
    try {
      for (const checks of SESSIONS) {
        const chosen = checks.filter(wanted);
        if (chosen.length > 0) await withPage((page) => runChecks(host.name, page, served.url, [FIRST, ...chosen, LAST]));
      }
    } finally {
      await served.stop();
    }
  } catch (error) {
    report(host.name, 'the host starts', error, 0);
  } finally {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Checks build on one another like a session does; after a failure the next ones still run. */
async function runChecks(host, page, url, checks) {
  const crashes = [];
  page.on('pageerror', (error) => crashes.push(error.message));
  const workbench = new Workbench(page);
  const context = {
    host, page, workbench, url, crashes,
    /** The web host shows the same; one picture of it is enough. */
    screenshot: async (name) => {
      if (host === 'node' || name === '6-trace') await page.screenshot({ path: join(options.images, `${host}-${name}.png`) });
    },
  };
  for (const [name, check] of checks) {
    const start = Date.now();
    const error = await check(context).then(() => null, (reason) => reason);
    report(host, name, error, Date.now() - start);
    if (error) console.log(`        the page: ${await workbench.situation().catch((reason) => `cannot be asked (${String(reason).split('\n')[0]})`)}`);
    if (error) await page.screenshot({ path: join(tmpdir(), `iommu-e2e-${host}-${name.replace(/\W+/g, '-')}.png`) }).catch(() => {});
  }
}

/** With `--only`, checks that have the text in their name. */
function wanted([name]) {
  return options.only === undefined || name.includes(options.only);
}

function packageExtension() {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  console.log('Packaging the extension …');
  const { status, stdout, stderr } = spawnSync(npm, ['run', '--silent', 'package'], { cwd: repository, encoding: 'utf8', shell: process.platform === 'win32' });
  if (status !== 0) throw new Error(`The extension could not be packaged:\n${stdout}${stderr}`);
  return join(repository, 'vfio-workbench.vsix');
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

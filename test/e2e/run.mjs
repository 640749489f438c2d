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
/** One line for a check. A failure counts when it happens twice: the machine may be busy, and the session is played once more. */
function tell({ host, name, error, note, milliseconds }, first) {
  console.log(`${!error ? 'ok    ' : first ? 'again ' : 'not ok'}  ${host.padEnd(4)}  ${name}${note === undefined ? '' : `: ${note}`}  (${(milliseconds / 1000).toFixed(1)} s)`);
  if (error) console.log(`        ${String(error.message ?? error).split('\n').slice(0, options.verbose ? 40 : 4).join('\n        ')}`);
}

findChromium();
const vsix = options.vsix ? resolve(options.vsix) : packageExtension();
mkdirSync(options.images, { recursive: true });
const results = [];
for (const host of [nodeHost, webHost]) {
  if (!options.host || options.host === host.name) results.push(...(await runHost(host)));
}
const failed = results.filter(({ error }) => error).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** All sessions in one editor, each in a browser of its own; one with a failure again, in a new editor. */
async function runHost(host) {
  const sessions = SESSIONS.map((checks) => checks.filter(wanted)).filter((checks) => checks.length > 0).map((checks) => [FIRST, ...checks, LAST]);
  const results = [];
  const unsettled = [];
  await inEditor(host, results, async (url) => {
    for (const checks of sessions) {
      const played = await runSession(host.name, url, checks, true);
      if (played.some(({ error }) => error)) unsettled.push(checks);
      else results.push(...played);
    }
  });
  for (const checks of unsettled) {
    console.log(`        ${host.name}: a session with a failure is played once more, and counts as it goes then`);
    await inEditor(host, results, async (url) => results.push(...(await runSession(host.name, url, checks, false))));
  }
  return results;
}

/** Serves an editor with a fresh workspace while `use` runs; an editor that does not start is a failure among `results`. */
async function inEditor(host, results, use) {
  const scratch = mkdtempSync(join(tmpdir(), 'iommu-e2e-'));
  const workspace = join(scratch, 'workspace');
  cpSync(join(here, 'workspace'), workspace, { recursive: true });
  cpSync(join(repository, 'examples/ryzen-desktop/lspci.txt'), join(workspace, 'lspci.txt'));
  cpSync(join(repository, 'examples/mdev-2021.iommu'), join(workspace, 'mdev-2021.iommu'));
  try {
    const served = await host.startHost({ vsix, workspace, data: join(scratch, 'data'), port: await freePort() });
    try {
      await use(served.url);
    } finally {
      await served.stop();
    }
  } catch (error) {
    results.push({ host: host.name, name: 'the host starts', error, milliseconds: 0 });
    tell(results.at(-1), false);
  } finally {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Checks build on one another like a session does; after a failure the next ones still run. */
async function runSession(host, url, checks, first) {
  const results = [];
  await withPage(async (page) => {
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
      const { error = null, note } = await check(context).then((said) => ({ note: typeof said === 'string' ? said : undefined }), (reason) => ({ error: reason }));
      results.push({ host, name, error, note, milliseconds: Date.now() - start });
      tell(results.at(-1), first);
      if (!error) continue;
      console.log(`        the page: ${await workbench.situation().catch((reason) => `cannot be asked (${String(reason).split('\n')[0]})`)}`);
      await page.screenshot({ path: join(tmpdir(), `iommu-e2e-${host}-${name.replace(/\W+/g, '-')}.png`) }).catch(() => {});
    }
  });
  return results;
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

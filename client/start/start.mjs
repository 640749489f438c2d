/**
 * `npm start [-- --no-editor] [-- --port N]`: simulates the shipped example in the terminal, then serves VS Code in the browser with
 * the extension installed and the example open. Ctrl-C ends it.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheRoot, fetchEditor, repository, startEditor } from './editor.mjs';

const EXAMPLE = 'ryzen-desktop';
const FILE = 'passthrough.iommu';
const DEFAULT_PORT = 8466;
const USAGE = `usage: npm start -- [--no-editor] [--port N]
  --no-editor  stop after the simulation in the terminal
  --port N     serve the editor there (default: ${DEFAULT_PORT}, or another one when it is taken)`;

const options = readOptions();
process.chdir(repository);
build();
simulateExample();
if (options.editor) await serve();

function readOptions() {
  try {
    const { values } = parseArgs({ options: { 'no-editor': { type: 'boolean' }, 'port': { type: 'string' }, 'help': { type: 'boolean' } } });
    const port = values.port === undefined ? undefined : Number(values.port);
    if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65536)) throw new Error(`--port ${values.port} is no port number`);
    if (values.help) end(0, USAGE);
    return { editor: !values['no-editor'], port };
  } catch (error) {
    return end(2, `${error.message}\n${USAGE}`);
  }
}

function end(code, text) {
  (code === 0 ? console.log : console.error)(text);
  process.exit(code);
}

/** The bundles are made by `npm ci`; after a change or with a bare checkout they are made here. */
function build() {
  if (!existsSync('dist/iommu.cjs')) run(process.execPath, ['esbuild.mjs']);
}

/** The main job, in the terminal: groups, every call, one DMA trace, findings. */
function simulateExample() {
  const file = join('examples', EXAMPLE, FILE);
  const iommu = (...args) => spawnSync(process.execPath, ['dist/iommu.cjs', ...args], { stdio: 'inherit' }).status;
  heading(`iommu groups ${file}`);
  iommu('groups', file);
  heading(`iommu simulate ${file}`);
  // 1 means that there are findings: the example has some to show.
  if (iommu('simulate', file) === 2) end(1, 'The example cannot be simulated.');
  const line = readFileSync(file, 'utf8').split('\n').findIndex((text) => text.startsWith('dma ')) + 1;
  heading(`iommu trace ${file} --line ${line}`);
  iommu('trace', file, '--line', String(line));
}

async function serve() {
  heading('The editor');
  const vsix = join(cacheRoot, 'start.vsix');
  mkdirSync(cacheRoot, { recursive: true });
  const editor = await fetchEditor();
  run(process.execPath, [join('node_modules/@vscode/vsce/vsce'), 'package', '--no-dependencies', '--allow-missing-repository', '--skip-license', '--no-rewrite-relative-links', '--out', vsix], 'ignore');
  const folder = freshExample();
  const data = join(cacheRoot, 'start');
  rmSync(data, { recursive: true, force: true });
  const port = options.port ?? (await freePort(DEFAULT_PORT));
  const running = await startEditor(editor, { data, vsix, port });
  // A terminal sends Ctrl-C to the editor as well; either way it is over when the editor has ended.
  let asked = false;
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      asked = true;
      void running.stop();
    });
  }
  console.log(`\n  VS Code with ${FILE} open:\n\n    ${running.address(folder, join(folder, FILE))}\n\n  Ctrl-C ends it. Your changes to the example are kept in ${folder} until the next start.\n`);
  const code = await running.ended;
  if (!asked) end(1, `The editor ended with ${code}.`);
}

/** A copy, so that trying things out changes nothing in the checkout. */
function freshExample() {
  const folder = join(cacheRoot, 'example');
  rmSync(folder, { recursive: true, force: true });
  cpSync(join(repository, 'examples', EXAMPLE), folder, { recursive: true });
  return folder;
}

/** The port wanted, or any other when it is taken. */
function freePort(wanted) {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', () => freePort(0).then(done, fail));
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

function run(command, args, stdio = 'inherit') {
  const { status } = spawnSync(command, args, { stdio });
  if (status !== 0) end(status ?? 1, `${[command, ...args].join(' ')} failed.`);
}

function heading(text) {
  console.log(process.stdout.isTTY ? `\n\u001b[1m${text}\u001b[0m\n` : `\n${text}\n`);
}

/** A second editor: Neovim as a plain language client over stdio. Installs it on Debian when it is missing. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aptInstall } from './browser.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const server = resolve(here, '../../dist/server.cjs');
const isThere = () => spawnSync('nvim', ['--version']).status === 0;

if (!existsSync(server)) fail('There is no dist/server.cjs: run `npm run build` first.');
if (!isThere() && !(aptInstall('neovim') && isThere())) fail('Neovim is not installed.');

const scratch = mkdtempSync(join(tmpdir(), 'iommu-neovim-'));
const file = join(scratch, 'desk.iommu');
copyFileSync(join(here, 'workspace/desk.iommu'), file);
const { status, stderr } = spawnSync('nvim', ['--headless', '-u', 'NONE', '-i', 'NONE', '-n', '-S', join(here, 'neovim.lua')], {
  stdio: ['ignore', 'inherit', 'pipe'], encoding: 'utf8', timeout: 120_000,
  env: { ...process.env, HOME: scratch, XDG_STATE_HOME: scratch, XDG_CACHE_HOME: scratch, IOMMU_FILE: file, IOMMU_SERVER: server, IOMMU_NODE: process.execPath },
});
if (status !== 0) console.error(stderr);
rmSync(scratch, { recursive: true, force: true });
process.exitCode = status ?? 1;

function fail(message) {
  console.error(message);
  process.exit(1);
}

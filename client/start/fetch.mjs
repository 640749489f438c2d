/**
 * Fetches what a folder with package.json and package-lock.json pins, into a cache folder, once. No install script
 * runs and nothing but the npm registry is asked.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NPM_CI = ['ci', '--ignore-scripts', '--install-links', '--no-audit', '--no-fund', '--loglevel=http'];

/**
 * @param {object} order
 * @param {string} order.title What is fetched, for the progress line.
 * @param {string} order.manifest Folder with the package.json.
 * @param {string[]} [order.parts] Sub-folders of it that have a package.json of their own.
 * @param {string} order.cache Folder that receives it.
 * @param {(cache: string) => void} [order.finish] Runs once after all packages are there.
 * @returns {Promise<string>} The cache folder.
 * @throws {Error} With npm's last lines, when npm fails.
 */
export async function fetchPackages({ title, manifest, parts = [], cache, finish }) {
  const folders = ['.', ...parts];
  const stamp = join(cache, '.complete');
  const wanted = createHash('sha256');
  for (const folder of folders) wanted.update(readFileSync(join(manifest, folder, 'package-lock.json')));
  const digest = wanted.digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return cache;

  rmSync(cache, { recursive: true, force: true });
  cpSync(manifest, cache, { recursive: true });
  const progress = startProgress(title);
  try {
    for (const folder of folders) await npm(join(cache, folder), progress.next);
    finish?.(cache);
  } catch (error) {
    progress.end('failed');
    throw error;
  }
  progress.end('done');
  writeFileSync(stamp, digest);
  return cache;
}

/** @param {string} cwd @param {() => void} onPackage Called for every package that arrives. */
function npm(cwd, onPackage) {
  const windows = process.platform === 'win32';
  return new Promise((resolve, reject) => {
    const child = spawn(windows ? 'npm.cmd' : 'npm', NPM_CI, { cwd, stdio: ['ignore', 'ignore', 'pipe'], shell: windows });
    let log = '';
    child.stderr.on('data', (data) => {
      const text = String(data);
      log = (log + text).slice(-4000);
      for (const _ of text.matchAll(/http fetch GET 200/g)) onPackage();
    });
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`npm ci in ${cwd} ended with ${code}:\n${log}`))));
  });
}

/** One line that is rewritten on a terminal; on a pipe a line every ten seconds. */
function startProgress(title) {
  const start = Date.now();
  const terminal = process.stdout.isTTY;
  let packages = 0;
  const line = () => `${title}: ${packages} packages, ${Math.round((Date.now() - start) / 1000)} s`;
  const tick = () => process.stdout.write(terminal ? `\r${line()} …` : `${line()} …\n`);
  process.stdout.write(terminal ? `${title} …` : `${title} …\n`);
  const timer = setInterval(tick, terminal ? 500 : 10_000);
  return {
    next: () => { packages += 1; },
    end: (word) => {
      clearInterval(timer);
      process.stdout.write(`${terminal ? '\r' : ''}${line()}, ${word}\n`);
    },
  };
}

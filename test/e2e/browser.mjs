/** Chromium for the tests: found, installed where Debian's apt-get can do it, and started with a profile of its own. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** @returns {string} @throws {Error} When there is no browser and none can be installed. */
export function findChromium() {
  const found = () => PLACES.find((place) => place && existsSync(place));
  return found() ?? (aptInstall('chromium') && found()) ?? fail('No Chromium was found. Install it, or name it in the variable CHROMIUM.');
}

/** Installs a Debian package, with apt-get's own progress. @returns {boolean} */
export function aptInstall(name) {
  if (!existsSync('/usr/bin/apt-get') || process.getuid?.() !== 0) return false;
  console.log(`Installing ${name} with apt-get …`);
  const apt = (...args) => spawnSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }).status === 0;
  return apt('-qq', 'update') && apt('-qq', 'install', '-y', '--no-install-recommends', name);
}

function fail(message) {
  throw new Error(message);
}

/** Runs `use` with a page; the browser is closed and its profile removed whatever happens. */
export async function withPage(use, viewport = { width: 1400, height: 900 }) {
  const profile = mkdtempSync(join(tmpdir(), 'iommu-browser-'));
  const context = await chromium.launchPersistentContext(profile, { executablePath: findChromium(), headless: true, viewport, args: FLAGS });
  try {
    return await use(context.pages()[0] ?? (await context.newPage()), context);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** `node test/tools/run-ts.mjs FILE.ts [ARG ...]`: bundles a TypeScript program of the tests and runs it here. */
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import esbuild from 'esbuild';

const [file, ...args] = process.argv.slice(2);
const folder = join(import.meta.dirname, '../../.cache/run');
mkdirSync(folder, { recursive: true });
const outfile = join(folder, `${basename(file, '.ts')}-${process.pid}.mjs`);
await esbuild.build({ entryPoints: [file], outfile, bundle: true, platform: 'node', format: 'esm', target: 'node24', packages: 'external', sourcemap: 'inline', logLevel: 'warning' });
process.setSourceMapsEnabled(true);
process.argv.splice(1, process.argv.length - 1, file, ...args);
await import(pathToFileURL(outfile).href);

/**
 * Makes dist/: `node esbuild.mjs [--watch] [--dev]`; with `--only client` no other entry than those under client/. Generates the parser first when the grammar is newer. An entry that
 * a checkout does not have is skipped with a notice.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import esbuild from 'esbuild';

const root = dirname(fileURLToPath(import.meta.url));
const watch = process.argv.includes('--watch');
const dev = watch || process.argv.includes('--dev');
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : '';

/** The parser library calls it; Node has it from 21 on, and language servers also run on 20. */
const GROUP_BY = 'Object.groupBy??=(items,key)=>{const groups=Object.create(null);let index=0;for(const item of items)(groups[key(item,index++)]??=[]).push(item);return groups};';

const node = { platform: 'node', format: 'cjs', target: 'node20' };
const browser = { platform: 'browser', target: 'es2022' };
const vscode = { external: ['vscode'] };
/** Libraries in CommonJS ask for modules of Node by `require`, which a module does not have. */
const REQUIRE = 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);';

/**
 * One line per bundle. The web extension host loads CommonJS only, hence `.cjs` in a package of modules. Command and language server share what both
 * need (`engine.js`); a command does not load what only a server needs.
 */
const bundles = [
  { makes: { 'extension.cjs': 'client/main.ts' }, ...node, ...vscode },
  { makes: { 'extension.web.cjs': 'client/main-browser.ts' }, ...browser, ...vscode, format: 'cjs' },
  { makes: { 'trace.js': 'client/trace/main.tsx' }, ...browser, format: 'iife' },
  { makes: { 'trace.css': 'client/trace/trace.css' }, ...browser },
  { makes: { 'compare.js': 'client/compare/main.tsx' }, ...browser, format: 'iife' },
  { makes: { 'compare.css': 'client/compare/compare.css' }, ...browser },
  { makes: { 'command.js': 'server/cli.ts', 'server.js': 'server/main.ts' }, ...node, format: 'esm', splitting: true, chunkNames: 'engine', banner: { js: REQUIRE + GROUP_BY } },
  { makes: { 'server.cjs': 'server/start-server.cjs' }, ...node, bundle: false },
  { makes: { 'iommu.cjs': 'server/start-command.cjs' }, ...node, bundle: false },
  { makes: { 'server.web.js': 'server/main-browser.ts' }, ...browser, format: 'iife' },
];

if (only === '') generateParser();
const entriesOf = ({ makes }) => Object.values(makes);
const wanted = bundles.filter((bundle) => entriesOf(bundle).every((entry) => entry.startsWith(only)));
const isPresent = (bundle) => entriesOf(bundle).every((entry) => existsSync(join(root, entry)));
for (const { makes } of wanted.filter((bundle) => !isPresent(bundle))) console.log(`skipped dist/${Object.keys(makes).join(', ')}: there is no ${Object.values(makes).join(', ')}`);
const results = await Promise.allSettled(wanted.filter(isPresent).map(make));
if (results.some(({ status }) => status === 'rejected')) process.exitCode = 1;

async function make({ makes, ...options }) {
  const files = Object.entries(makes);
  const settings = {
    absWorkingDir: root,
    entryPoints: files.map(([out, entry]) => ({ in: entry, out: basename(out, extname(out)) })),
    outdir: 'dist',
    outExtension: { '.js': extname(files[0][0]) === '.cjs' ? '.cjs' : '.js' },
    bundle: true,
    minify: !dev,
    sourcemap: dev ? 'linked' : false,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    ...options,
  };
  if (watch) return (await esbuild.context(settings)).watch();
  const started = performance.now();
  const { metafile } = await esbuild.build(settings);
  for (const [file, { bytes }] of Object.entries(metafile.outputs)) if (!file.endsWith('.map')) console.log(`${file}  ${Math.ceil(bytes / 1024)} KiB  ${Math.round(performance.now() - started)} ms`);
}

/** Runs langium's generator when the grammar or its settings are newer than what was generated. */
function generateParser() {
  const inputs = ['language/iommu.langium', 'langium-config.json'].map((file) => join(root, file));
  const generated = join(root, 'language/generated/ast.ts');
  if (!inputs.every((file) => existsSync(file))) return;
  const stale = !existsSync(generated) || inputs.some((file) => statSync(file).mtimeMs > statSync(generated).mtimeMs);
  if (!stale) return;
  const langium = join(root, 'node_modules/langium-cli/bin/langium.js');
  const { status } = spawnSync(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(GROUP_BY)}`, langium, 'generate'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/**
 * Makes dist/: `node esbuild.mjs [--watch] [--dev]`; with `--only client` no other entry than those under client/. Generates the parser first when the grammar is newer. An entry that
 * a checkout does not have is skipped with a notice.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
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
const onOldNode = { banner: { js: GROUP_BY } };

/** One line per bundle. The web extension host loads CommonJS only, hence `.cjs` in a package of modules. */
const bundles = [
  { entry: 'client/main.ts', out: 'extension.cjs', ...node, ...vscode },
  { entry: 'client/main-browser.ts', out: 'extension.web.cjs', ...browser, ...vscode, format: 'cjs' },
  { entry: 'client/trace/main.tsx', out: 'trace.js', ...browser, format: 'iife' },
  { entry: 'client/trace/trace.css', out: 'trace.css', ...browser },
  { entry: 'client/compare/main.tsx', out: 'compare.js', ...browser, format: 'iife' },
  { entry: 'client/compare/compare.css', out: 'compare.css', ...browser },
  { entry: 'server/node.ts', out: 'engine.cjs', ...node, ...onOldNode },
  { entry: 'server/start-server.cjs', out: 'server.cjs', ...node, bundle: false },
  { entry: 'server/start-command.cjs', out: 'iommu.cjs', ...node, bundle: false },
  { entry: 'server/main-browser.ts', out: 'server.web.js', ...browser, format: 'iife' },
];

if (only === '') generateParser();
const wanted = bundles.filter(({ entry }) => entry.startsWith(only));
const present = wanted.filter(({ entry }) => existsSync(join(root, entry)));
for (const { entry, out } of wanted) if (!existsSync(join(root, entry))) console.log(`skipped dist/${out}: there is no ${entry}`);
const results = await Promise.allSettled(present.map(make));
if (results.some(({ status }) => status === 'rejected')) process.exitCode = 1;

async function make({ entry, out, ...options }) {
  const settings = {
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: join('dist', out),
    bundle: true,
    minify: !dev,
    sourcemap: dev ? 'linked' : false,
    legalComments: 'none',
    logLevel: 'warning',
    ...options,
  };
  if (watch) return (await esbuild.context(settings)).watch();
  const started = performance.now();
  await esbuild.build(settings);
  const size = statSync(join(root, 'dist', out)).size;
  console.log(`dist/${out}  ${Math.ceil(size / 1024)} KiB  ${Math.round(performance.now() - started)} ms`);
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

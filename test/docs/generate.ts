/**
 * Makes what docs/ derives from the code: docs/rules.md, docs/diagnostics/*.md and the drawings of the README. `--check` writes nothing and fails
 * when a file on disk differs.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LANGUAGE_CODES } from '../../language/index.js';
import { pagePath, rulePage } from '../../server/diagnostics/page.js';
import { RULES } from '../../server/diagnostics/registry.js';
import { comparisonDrawings } from './comparisons.js';
import { ruleTable } from './rule-table.js';

const root = process.cwd();
const check = process.argv.includes('--check');

/** File below docs/ → text. */
function generated(): Map<string, string> {
  const files = new Map<string, string>([['rules.md', ruleTable(root)]]);
  for (const rule of RULES) files.set(pagePath(rule.code), rulePage(rule));
  const lines = [...RULES.map((rule) => `| [\`${rule.code}\`](${pagePath(rule.code).replace('diagnostics/', '')}) | ${rule.severity} | ${rule.title} |`), ...[...LANGUAGE_CODES].map(([code, title]) => `| \`${code}\` | error | ${title} |`)];
  files.set('diagnostics/README.md', `# Diagnostics\n\nEvery diagnostic has a stable code. Generated from the code; do not edit.\n\n| code | severity | what |\n|---|---|---|\n${lines.join('\n')}\n`);
  return files;
}

const files = new Map([...generated(), ...(await comparisonDrawings(root))]);
let stale = 0;
for (const [name, text] of files) {
  const path = join(root, 'docs', name);
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
  stale++;
  if (check) console.error(`docs/${name} is not what the code says; run: npm run docs`);
  else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    console.log(`docs/${name}`);
  }
}
const folder = join(root, 'docs/diagnostics');
for (const name of existsSync(folder) ? readdirSync(folder) : []) {
  if (files.has(`diagnostics/${name}`)) continue;
  stale++;
  if (check) console.error(`docs/diagnostics/${name} belongs to no diagnostic`);
  else rmSync(join(folder, name));
}
process.exitCode = check && stale > 0 ? 1 : 0;

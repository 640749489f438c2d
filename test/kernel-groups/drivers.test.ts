/** Groups as the drivers of all units make them: the claims of each host are its groups, and no others; what has none is said, and why. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { analyseText } from '../helpers.js';

const FOLDER = join(import.meta.dirname, '../fixtures/drivers');

/** By host, what stands after `// KEY: ` inside it. */
function said(text: string, key: string): Map<string, string[]> {
  let host = '';
  const lines = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    host = /^host (\w+) /.exec(line)?.[1] ?? host;
    const prefix = `// ${key}: `;
    if (line.trim().startsWith(prefix)) lines.set(host, [...(lines.get(host) ?? []), line.trim().slice(prefix.length)]);
  }
  return lines;
}

describe.each(readdirSync(FOLDER).filter((name) => name.endsWith('.iommu')))('%s', async (file) => {
  const text = readFileSync(join(FOLDER, file), 'utf8');
  const { analysis: { description, report }, presented } = await analyseText(text);
  const [none, logs] = [said(text, 'none'), said(text, 'logs')];

  test('is understood, and no claim is unmet', () => {
    expect(presented.filter((each) => each.severity === 'error').map((each) => `${each.range.start.line + 1}: ${each.message}`)).toEqual([]);
  });

  test.each(description.hosts.map((host) => [host.name, host] as const))('%s', (name, host) => {
    const { groups, ungrouped, messages } = report.hosts.find((each) => each.host === host.id)!;
    const nameOf = (id: string): string => id.slice(host.id.length + 1);
    const claims = description.groupClaims.filter((claim) => claim.host === host.id);
    expect(groups.map(({ members }) => members.map(nameOf).sort().join(' ')).sort()).toEqual(claims.map(({ members }) => members.map(({ device }) => nameOf(device)).sort().join(' ')).sort());
    for (const line of none.get(name) ?? []) {
      const [device = '', why = ''] = line.split(/: (.*)/);
      expect(ungrouped.filter((each) => nameOf(each.device) === device).map((each) => each.why).join('; ')).toContain(why);
    }
    for (const line of logs.get(name) ?? []) expect(messages).toContain(line);
  });
});

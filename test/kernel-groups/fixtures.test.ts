/** The worked scenarios as files: every claim is met, every function is claimed, and what the comments say is read and logged is. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { HostDescription, SubjectId } from '../../server/simulator/description.js';
import { requesterIdText } from '../../server/simulator/fabric/pci-address.js';
import { form } from '../fabric/sample-host.js';
import { analyseText } from '../helpers.js';
import { groupBy } from '../../server/simulator/fabric/multimap.js';

const FOLDER = join(import.meta.dirname, '../fixtures/groups');
const NUMBERS = new Set<string>();

/** By host, what stands after `// KEY: ` inside it. */
function expectations(text: string, key: string): { readonly host: string; readonly line: string }[] {
  let host = '';
  return text.split('\n').flatMap((line) => {
    host = /^host (\w+) /.exec(line)?.[1] ?? host;
    const said = line.trim();
    return said.startsWith(`// ${key}: `) ? [{ host, line: said.slice(`// ${key}: `.length) }] : [];
  });
}

describe.each(readdirSync(FOLDER).filter((name) => name.endsWith('.iommu')))('%s', async (name) => {
  const text = readFileSync(join(FOLDER, name), 'utf8');
  const { analysis: { description, report }, presented } = await analyseText(text);
  const hostNamed = (wanted: string): HostDescription => description.hosts.find((host) => host.name === wanted)!;
  const reportOf = (wanted: string) => report.hosts.find((each) => each.host === hostNamed(wanted).id)!;
  const idOf = (host: string, fn: string): SubjectId => hostNamed(host).functions.find((each) => each.name === fn)!.id;
  for (const { name: host } of description.hosts) NUMBERS.add(host.slice(0, 3));

  test('is understood, and no claim is unmet', () => {
    expect(presented.filter((each) => each.severity === 'error').map((each) => `${each.range.start.line + 1}: ${each.message}`)).toEqual([]);
  });

  test.each(description.hosts.map((host) => [host.name, host] as const))('%s claims each function once and each group', (_, host) => {
    const claims = description.groupClaims.filter((claim) => claim.host === host.id);
    expect(claims.flatMap((claim) => claim.members.map(({ device }) => device)).sort()).toEqual(host.functions.map(({ id }) => id).sort());
    expect(report.hosts.find((each) => each.host === host.id)!.groups).toHaveLength(claims.length);
  });

  const logs = expectations(text, 'logs');
  if (logs.length > 0) test.each(logs)('$host logs: $line', ({ host, line }) => expect(reportOf(host).messages).toContain(line));

  const ids = expectations(text, 'ids');
  if (ids.length > 0) {
    test.each(ids)('$host requester IDs: $line', ({ host, line }) => {
      const [fn = '', ...wanted] = line.split(' ');
      expect(form(hostNamed(host)).requesterIds(idOf(host, fn)).map(requesterIdText)).toEqual(wanted);
    });
  }

  const reads = groupBy(expectations(text, 'reads'), ({ host, line }) => `${host} ${line.split(' ')[0]}`);
  if (reads.size > 0) {
    test.each([...reads])('%s: reserved_regions', (where, lines) => {
      const [host = '', fn = ''] = where.split(' ');
      const group = reportOf(host).groups.find((each) => each.members.includes(idOf(host, fn)))!;
      expect(group.reserved.map((region) => region.line)).toEqual(lines.map(({ line }) => line.slice(line.indexOf(' ') + 1)));
    });
  }
});

test('the scenarios of groups and regions are all there', () => {
  const numbers = [...Array.from({ length: 39 }, (_, index) => index + 1), 81, 82, 83, 84, 85, 88];
  expect(numbers.map((number) => `S${String(number).padStart(2, '0')}`).filter((number) => !NUMBERS.has(number))).toEqual([]);
});

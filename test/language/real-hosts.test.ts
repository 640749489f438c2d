/** Real hosts, imported: their text parses without a problem, means what the import described, and is laid out already. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatText } from '../../language/index.js';
import { importHost } from '../../server/interchange/import-host.js';
import type { HostDescription } from '../../server/simulator/description.js';
import { parse } from './support.js';

const HOSTS = new URL('../../../shared/facts/hosts/', import.meta.url);
const files = existsSync(HOSTS) ? readdirSync(HOSTS).filter((name) => /^[AB]-.*\.json$/.test(name)) : [];
if (files.length === 0) console.log('skipped: no recorded hosts beside this repository');

/** Without identities, which the two give in their own ways, and bus numbers where the import leaves them to the language. */
function comparable(host: HostDescription, like: HostDescription): unknown {
  const known = new Map(like.functions.map((it) => [it.name, it.buses]));
  const functions = host.functions.map((it) => ({ ...it, buses: known.get(it.name) === undefined ? undefined : it.buses }));
  return JSON.parse(JSON.stringify({ ...host, functions }, (key, value: unknown) => (key === 'id' ? undefined : typeof value === 'bigint' ? String(value) : value)));
}

describe.skipIf(files.length === 0)('imported hosts', () => {
  it.each(files)('%s', async (name) => {
    const imported = importHost({ lspci: readFileSync(new URL(name, HOSTS), 'utf8') });
    const { problems, description } = await parse(imported.text);
    expect(problems).toEqual([]);
    expect(comparable(description.hosts[0]!, imported.host)).toEqual(comparable(imported.host, imported.host));
    expect(formatText(imported.text)).toBe(imported.text);
  });
});

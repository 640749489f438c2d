/** What package.json promises the editor is there. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const text = readFileSync('package.json', 'utf8');
const manifest = JSON.parse(text) as {
  contributes: {
    commands: { command: string }[];
    menus: Record<string, { command: string }[]>;
    configuration: { properties: Record<string, unknown> };
    problemMatchers: { name: string; pattern: { regexp: string; file: number; line: number; severity: number; message: number; code: number } }[];
  };
};
const client = ['client/workbench.ts'].map((file) => readFileSync(file, 'utf8')).join('\n');

describe('the manifest', () => {
  it('names files that exist', () => {
    const files = [...text.matchAll(/"(?:\.\/)?((?:client|syntaxes)\/[\w./-]+|language-configuration\.json)"/g)].map((match) => match[1]!).filter((file) => /\.\w+$/.test(file));
    expect(files.length).toBeGreaterThan(6);
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
  });

  it('has a handler for every command, and a command for every menu and link', () => {
    const commands = manifest.contributes.commands.map(({ command }) => command);
    expect(commands.filter((command) => !client.includes(`'${command}'`))).toEqual([]);
    const used = [...Object.values(manifest.contributes.menus).flat().map(({ command }) => command), ...[...text.matchAll(/\(command:([\w.]+)\)/g)].map((match) => match[1]!)];
    expect(used.filter((command) => !commands.includes(command))).toEqual([]);
  });

  it('has no more than twelve settings', () => expect(Object.keys(manifest.contributes.configuration.properties).length).toBeLessThanOrEqual(12));

  it('reads the findings of the terminal', () => {
    const { pattern } = manifest.contributes.problemMatchers[0]!;
    const match = new RegExp(pattern.regexp).exec('hosts/desk.iommu:24:10: error: gpu cannot be assigned [now]. [ownership/group-not-viable]');
    expect([pattern.file, pattern.line, pattern.severity, pattern.message, pattern.code].map((group) => match?.[group])).toEqual(['hosts/desk.iommu', '24', 'error', 'gpu cannot be assigned [now].', 'ownership/group-not-viable']);
    expect(new RegExp(pattern.regexp).test('    hosts/desk.iommu:10: in the same group')).toBe(false);
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

interface Manifest {
  readonly contributes: {
    readonly commands: readonly { readonly command: string }[];
    readonly menus: Readonly<Record<string, readonly { readonly command?: string }[]>>;
    readonly configuration: { readonly properties: Readonly<Record<string, { readonly description?: string; readonly markdownDescription?: string }>> };
    readonly languages: readonly { readonly configuration: string }[];
    readonly grammars: readonly { readonly path: string }[];
  };
  readonly icon: string;
  readonly main: string;
  readonly browser: string;
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const { contributes } = manifest;

it('every file that the manifest names exists', () => {
  const files = [manifest.icon, manifest.main, manifest.browser, ...contributes.languages.map((each) => each.configuration), ...contributes.grammars.map((each) => each.path)];
  expect(files.filter((file) => !existsSync(file))).toEqual([]);
});

it('every command in a menu is declared', () => {
  const declared = new Set(contributes.commands.map((each) => each.command));
  const used = Object.values(contributes.menus).flat().flatMap((each) => each.command ?? []);
  expect(used.filter((command) => !declared.has(command))).toEqual([]);
});

it('settings are few and described', () => {
  const settings = Object.entries(contributes.configuration.properties);
  expect(settings.length).toBeLessThanOrEqual(12);
  expect(settings.filter(([, setting]) => (setting.description ?? setting.markdownDescription ?? '') === '').map(([name]) => name)).toEqual([]);
});

it('the lock file carries no download addresses', () => {
  expect(readFileSync('package-lock.json', 'utf8')).not.toContain('"resolved"');
});

/** What package.json says of the debugger is what there is. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

interface Debugger {
  readonly type: string;
  readonly languages: readonly string[];
  readonly configurationAttributes: { readonly launch: { readonly properties: Readonly<Record<string, unknown>> } };
}

const { contributes, activationEvents } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly contributes: { readonly debuggers: readonly Debugger[]; readonly breakpoints: readonly { readonly language: string }[] };
  readonly activationEvents: readonly string[];
};
const [iommu] = contributes.debuggers;

it('every attribute of a launch is read by the session, and documented', () => {
  const session = readFileSync('server/debug/session.ts', 'utf8');
  const page = readFileSync('docs/testing-and-debugging.md', 'utf8');
  const attributes = Object.keys(iommu!.configurationAttributes.launch.properties);
  expect(attributes).toEqual(['program', 'scenario', 'host', 'stopOnEntry']);
  for (const attribute of attributes) {
    expect(session).toContain(`'${attribute}'`);
    expect(page).toContain(`| \`${attribute}\` |`);
  }
});

it('files of the language take breakpoints, and starting a session starts the extension', () => {
  expect(iommu).toMatchObject({ type: 'iommu', languages: ['iommu'] });
  expect(contributes.breakpoints).toEqual([{ language: 'iommu' }]);
  expect(activationEvents).toEqual(expect.arrayContaining(['onDebugResolve:iommu', 'onDebugDynamicConfigurations:iommu', 'workspaceContains:**/*.iommu']));
});

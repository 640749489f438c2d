import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CodeAction, CodeLens, CompletionItem, CompletionList, Diagnostic, DocumentSymbol, FoldingRange, Hover, InlayHint, Location, SemanticTokens, SelectionRange, TextEdit, WorkspaceEdit } from 'vscode-languageserver';
import { CALLS_REQUEST, IMPORT_REQUEST, PAGE_REQUEST, SIMULATE_REQUEST, type CallsResult, type ImportResult, type SimulationView } from '../../server/protocol.js';
import { applyChanges } from '../helpers.js';
import { NOT_VIABLE, VIABLE } from '../samples.js';
import { Client } from './client.js';

let client: Client;
let number = 0;
const fresh = (): string => `file:///server-${++number}.iommu`;
beforeAll(async () => { client = await Client.start(); });
afterAll(async () => { await client.stop(); });

/** Line and character of the first occurrence of `word`. */
function positionOf(text: string, word: string): { line: number; character: number } {
  const before = text.slice(0, text.indexOf(word)).split('\n');
  return { line: before.length - 1, character: before.at(-1)!.length };
}

const textOf = (hover: Hover | null): string => (hover === null ? '' : (hover.contents as { value: string }).value);
const editsOf = (edit: WorkspaceEdit, uri: string): { uri: string; range: TextEdit['range']; newText: string }[] => (edit.changes?.[uri] ?? []).map((each) => ({ uri, ...each }));

/** Codes of errors and warnings. */
const serious = (diagnostics: readonly Diagnostic[]): unknown[] => diagnostics.filter((each) => (each.severity ?? 1) <= 2).map((each) => each.code);

describe('diagnostics', () => {
  it('name the offending device, carry code, page and related place', async () => {
    const uri = fresh();
    const found = (await client.open(uri, NOT_VIABLE)).find((each) => each.code === 'ownership/group-not-viable');
    expect(found?.message).toContain('audio (0000:01:00.1, driver snd_hda_intel)');
    expect(found?.message).toContain('EPERM');
    expect(found?.range.start).toEqual(positionOf(NOT_VIABLE, 'gpu\n}'));
    expect(found?.codeDescription?.href).toBe('iommu-page:/ownership/group-not-viable.md');
    expect(found?.relatedInformation?.[0]?.location.range.start).toEqual(positionOf(NOT_VIABLE, 'audio at'));
  });

  it('go when the file is right and come back when it is not', async () => {
    const uri = fresh();
    await client.open(uri, NOT_VIABLE);
    expect(serious(await client.change(uri, VIABLE))).toEqual([]);
    expect((await client.change(uri, NOT_VIABLE)).map((each) => each.code)).toContain('ownership/group-not-viable');
  });

  it('are cleared by the preferred quick fix', async () => {
    const uri = fresh();
    const found = (await client.open(uri, NOT_VIABLE)).find((each) => each.code === 'ownership/group-not-viable')!;
    const fix = (await client.quickFixes(uri, found)).find((each) => each.isPreferred === true)!;
    const after = await client.change(uri, applyChanges(NOT_VIABLE, editsOf(fix.edit!, uri)));
    expect(serious(after)).toEqual([]);
  });

  it('are suppressed by a comment, and an idle comment is reported', async () => {
    const uri = fresh();
    const suppressed = NOT_VIABLE.replace('  assign gpu', '  // iommu-disable-next-line ownership/group-not-viable: on purpose\n  assign gpu').replace('dma gpu read 0x1000 size 64\n', '');
    expect(serious(await client.open(uri, suppressed))).toEqual([]);
    const idle = `${VIABLE}// iommu-disable-next-line dma/faults: nothing here\ndma gpu read 0x2000 size 4\n`;
    expect((await client.change(uri, idle)).map((each) => each.code)).toContain('suppression/unused');
  });
});

describe('what the editor shows', () => {
  let uri: string;
  beforeAll(async () => {
    uri = fresh();
    await client.open(uri, VIABLE);
  });
  const at = (word: string): { textDocument: { uri: string }; position: { line: number; character: number } } => ({ textDocument: { uri }, position: positionOf(VIABLE, word) });

  it('hover on a device: its group, why, owner and effective mappings', async () => {
    const text = textOf(await client.request<Hover | null>('textDocument/hover', at('gpu at')));
    expect(text).toContain('IOMMU group');
    expect(text).toContain('audio (0000:01:00.1)');
    expect(text).toContain('owner win11');
    expect(text).toMatch(/`0x0 \.\. 0x[0-9a-f]+` \| `0x[0-9a-f]+` \| rw \|/);
  });

  it('hover on a name that refers to a device says the same', async () => {
    expect(textOf(await client.request<Hover | null>('textDocument/hover', at('gpu read')))).toContain('IOMMU group');
  });

  it('hover on the owner: its domain', async () => {
    expect(textOf(await client.request<Hover | null>('textDocument/hover', at('win11')))).toContain('domain');
  });

  it('inlay hints: the group of each function and the result of each DMA', async () => {
    const hints = await client.request<InlayHint[]>('textDocument/inlayHint', { textDocument: { uri }, range: { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } } });
    const labels = hints.map(({ label }) => (typeof label === 'string' ? label : label.map(({ value }) => value).join('')));
    expect(labels.filter((label) => label.startsWith('group '))).toHaveLength(3);
    expect(labels.some((label) => /^→ 0x[0-9a-f]+$/.test(label))).toBe(true);
  });

  it('a code action inserts the calls of the owner below it, and they answer the same', async () => {
    const here = fresh();
    await client.open(here, VIABLE);
    const position = positionOf(VIABLE, 'memory 4GiB');
    const actions = await client.request<CodeAction[]>('textDocument/codeAction', { textDocument: { uri: here }, range: { start: position, end: position }, context: { diagnostics: [] } });
    expect(actions.map((action) => action.title)).toEqual(['Show the calls of win11 as a scenario']);
    const text = applyChanges(VIABLE, editsOf(actions[0]!.edit!, here));
    const again = fresh();
    expect(serious(await client.open(again, text))).toEqual([]);
    const view = await client.request<SimulationView>(SIMULATE_REQUEST, { uri: again });
    const [host, scenario] = view.runs.map((run) => run.actions.filter((action) => action.kind === 'step').map(({ text: step, result }) => `${step} ${result}`));
    expect(scenario).toEqual(host);
  });

  it.each([
    ['a step', VIABLE + 'scenario "x" on desk {\n  open-container box\n  clos box\n}\n', 'clos box', 'close box'],
    ['a name', VIABLE.replace('assign gpu', 'assign gup'), 'assign gup', 'assign gpu'],
    ['a property', VIABLE.replace('vfio-pci', 'vfio-pci  clas vga'), 'clas vga', 'class vga'],
  ])('a misspelt word is changed into the one that was meant: %s', async (_what, text, wrong, right) => {
    const here = fresh();
    const found = (await client.open(here, text)).find((each) => String(each.message).includes('Did you mean'))!;
    const fix = (await client.quickFixes(here, found)).find((each) => each.title.startsWith('Change to'))!;
    expect(applyChanges(text, editsOf(fix.edit!, here))).toBe(text.replace(wrong, right));
  });

  it('code lenses: groups, calls, trace', async () => {
    const lenses = await client.request<CodeLens[]>('textDocument/codeLens', { textDocument: { uri } });
    expect(lenses.map((lens) => lens.command?.command).sort()).toEqual(['iommu.showCalls', 'iommu.simulate', 'iommu.traceDma']);
    const calls = lenses.find((lens) => lens.command?.command === 'iommu.showCalls')!.command!;
    const [file, owner] = calls.arguments as [string, string];
    const shown = await client.request<CallsResult>(CALLS_REQUEST, { uri: file, owner });
    expect(shown.document).toContain(`use "${file.split('/').at(-1)!}"`);
    expect(shown.scenarios).toMatch(/^scenario "the calls of win11" on desk \{\n/);
    expect(await client.request<CallsResult>(CALLS_REQUEST, { uri: file })).toMatchObject({ scenarios: expect.stringContaining('bind-iommufd') as string });
  });

  it('who asks at once is told about the text as it is now', async () => {
    const here = fresh();
    void client.open(here, VIABLE);
    expect(await client.request<CallsResult | null>(CALLS_REQUEST, { uri: here })).toMatchObject({ scenarios: expect.stringContaining('bind-iommufd') as string });
    void client.change(here, VIABLE.replace('assign gpu', 'assign audio'));
    const view = await client.request<SimulationView>(SIMULATE_REQUEST, { uri: here });
    expect(view.version).toBeGreaterThan(1);
    expect((await client.request<CallsResult>(CALLS_REQUEST, { uri: here })).scenarios).toContain('bind-iommufd d_audio');
  });

  it('who asks a server that has only just begun waits until it has begun', async () => {
    const newborn = await Client.start(undefined, undefined, pathToFileURL('test/fixtures').href);
    const here = fresh();
    void newborn.open(here, VIABLE);
    expect(await newborn.request<CallsResult | null>(CALLS_REQUEST, { uri: here })).not.toBeNull();
    await newborn.stop();
  });

  it('definition, references, rename', async () => {
    const definition = await client.request<Location[] | { targetSelectionRange: { start: object } }[]>('textDocument/definition', at('gpu read'));
    expect(JSON.stringify(definition)).toContain(JSON.stringify(positionOf(VIABLE, 'gpu at')));
    const references = await client.request<Location[]>('textDocument/references', { ...at('gpu at'), context: { includeDeclaration: true } });
    expect(references).toHaveLength(3);
    const edit = await client.request<WorkspaceEdit>('textDocument/rename', { ...at('gpu at'), newName: 'card' });
    expect(applyChanges(VIABLE, editsOf(edit, uri))).toBe(VIABLE.replaceAll(/\bgpu\b/g, 'card'));
  });

  it('symbols, folding, semantic tokens, selection, completion, formatting', async () => {
    const symbols = await client.request<DocumentSymbol[]>('textDocument/documentSymbol', { textDocument: { uri } });
    expect(symbols.map((symbol) => symbol.name)).toEqual(expect.arrayContaining(['desk', 'win11']));
    expect((await client.request<FoldingRange[]>('textDocument/foldingRange', { textDocument: { uri } })).length).toBeGreaterThan(1);
    expect((await client.request<SemanticTokens>('textDocument/semanticTokens/full', { textDocument: { uri } })).data.length).toBeGreaterThan(0);
    const [selection] = await client.request<SelectionRange[]>('textDocument/selectionRange', { textDocument: { uri }, positions: [at('gpu at').position] });
    expect(selection?.parent).toBeDefined();
    const completion = await client.request<CompletionList | CompletionItem[]>('textDocument/completion', { textDocument: { uri }, position: { line: positionOf(VIABLE, 'assign gpu').line, character: '  assign '.length } });
    const items = Array.isArray(completion) ? completion : completion.items;
    expect(items.map((item) => item.label)).toContain('audio');
    const edits = await client.request<TextEdit[]>('textDocument/formatting', { textDocument: { uri }, options: { tabSize: 2, insertSpaces: true } });
    expect(Array.isArray(edits)).toBe(true);
  });
});

describe('our own requests', () => {
  it('a simulation to draw, with places for its steps', async () => {
    const uri = fresh();
    await client.open(uri, VIABLE);
    const view = await client.request<SimulationView>(SIMULATE_REQUEST, { uri });
    const dma = view.runs[0]!.actions.find((action) => action.kind === 'dma')!;
    expect(dma.result).toBe('memory');
    expect(dma.place?.range.start).toEqual(positionOf(VIABLE, 'dma gpu'));
    expect(dma.path.map((node) => node.kind)).toEqual(['device', 'port', 'root-complex', 'unit', 'memory'].filter((kind) => dma.path.some((node) => node.kind === kind)));
    expect(dma.trace.filter((step) => step.kind === 'read').map((step) => step.entry)).toEqual(expect.arrayContaining(['root entry', 'context entry']));
  });

  it('an import, and a clear error for what is none', async () => {
    const bad = await client.request<ImportResult>(IMPORT_REQUEST, { lspci: 'hello world' });
    expect('error' in bad && bad.error).toBeTruthy();
  });

  it('the page of a diagnostic', async () => {
    expect(await client.request<string | null>(PAGE_REQUEST, { code: 'ownership/group-not-viable' })).toContain('# ownership/group-not-viable');
    expect(await client.request<string | null>(PAGE_REQUEST, { code: 'nonsense' })).toBeNull();
  });
});

describe('bad input never kills the server', () => {
  it.each([
    ['an empty file', ''],
    ['a binary file', '\u0000\u0001\ufffd'.repeat(1000)],
    ['braces without end', 'host a { '.repeat(500)],
    ['an absurd size', VIABLE.replace('memory 4GiB', 'memory 0xffff_ffff_ffff_f000')],
    ['an address over 64 bits', VIABLE.replace('0x1000', '0x1_0000_0000_0000_0000')],
    ['a file cut in the middle', VIABLE.slice(0, VIABLE.length / 2)],
    ['a very long line', `// ${'x'.repeat(2_000_000)}\n${VIABLE}`],
    ['a DMA of half the address space', VIABLE.replace('size 64', 'size 0x8000_0000_0000_0000')],
  ])('%s', async (_what, text) => {
    const uri = fresh();
    await client.open(uri, text);
    const after = await client.change(uri, NOT_VIABLE);
    expect(after.map((each) => each.code)).toContain('ownership/group-not-viable');
  });
});

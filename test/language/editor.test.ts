/** What the editor asks the language for. `|` marks the cursor. */
import { EmptyFileSystemProvider, URI } from 'langium';
import { describe, expect, it } from 'vitest';
import type { CompletionItem, TextEdit } from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { createIommuServices, IommuDocumentLinkProvider, selectionRanges } from '../../language/editor/index.js';
import { lowerDocument } from '../../language/index.js';
import { VERBS } from '../../server/simulator/scenario/verbs.js';
import { DESK, Workspace } from './support.js';

const workspace = new Workspace();
const { lsp } = workspace.services.iommu;

async function at(marked: string, uri?: string) {
  const offset = marked.indexOf('|');
  const document = await workspace.open(marked.replace('|', ''), uri);
  return { document, params: { textDocument: { uri: document.uri.toString() }, position: document.textDocument.positionAt(offset) } };
}

async function completions(marked: string): Promise<CompletionItem[]> {
  const { document, params } = await at(marked);
  return (await lsp.CompletionProvider!.getCompletion(document, params))?.items ?? [];
}
const labels = async (marked: string): Promise<string[]> => (await completions(marked)).map((item) => item.label);

async function hover(marked: string): Promise<string> {
  const { document, params } = await at(marked);
  const found = await lsp.HoverProvider!.getHoverContent(document, params);
  return found === undefined ? '' : (found.contents as { value: string }).value;
}

describe('completion', () => {
  it('offers statements and snippets at the top', async () => {
    const items = await completions('|');
    expect(items.map((item) => item.label)).toEqual(expect.arrayContaining(['host', 'vm', 'scenario', 'dma', 'never', 'host { … }', 'scenario with type1']));
    expect(items.find((item) => item.label === 'vm { … }')!.insertText).toContain('${1:');
  });

  it('offers the items of a host, and the properties of a function', async () => {
    expect(await labels('host h { | }')).toEqual(expect.arrayContaining(['kernel', 'root-port', 'iommu', 'reserved']));
    expect(await labels('host h { function f at 01:00.0 { | } }')).toEqual(expect.arrayContaining(['acs', 'bar', 'driver']));
    expect(await labels('host h { function f at 01:00.0 { | } }')).not.toContain('caching-mode');
    expect(await labels('host h { iommu u : vtd { | } }')).toEqual(expect.arrayContaining(['covers', 'caching-mode']));
  });

  it('offers the values of a property', async () => {
    expect(await labels('host h { function f { acs SV, | } }')).toEqual(['SV', 'TB', 'RR', 'CR', 'UF', 'EC', 'DT']);
    expect(await labels('host h { function f { class | } }')).toContain('vga');
    expect(await labels('host h { iommu u : | }')).toContain('amd-vi');
    expect(await labels('host h { function f : | }')).toEqual(['endpoint', 'legacy', 'conventional', 'unknown']);
  });

  it('offers every verb in a scenario, with its call', async () => {
    const items = await completions(`${DESK}scenario "s" on desk { | }`);
    expect(items.map((item) => item.label)).toEqual(expect.arrayContaining(VERBS.map((verb) => verb.verb)));
    expect(items.find((item) => item.label === 'set-iommu')!.detail).toBe('VFIO_SET_IOMMU');
  });

  it('offers only handles that fit the operand', async () => {
    const text = `${DESK}scenario "s" on desk { open-container c  open-group g of gpu  open-iommufd fd  `;
    const groups = await labels(`${text}set-container | }`);
    expect(groups).toContain('g');
    expect(groups).not.toContain('c');
    expect(await labels(`${text}attach | }`)).toEqual(expect.arrayContaining(['gpu', 'nic.vf3', 'vgpu0']));
    expect(await labels(`${text}set-iommu c | }`)).toContain('type1v2');
  });

  it('offers keys, flags and expectations after the operands', async () => {
    const text = `${DESK}scenario "s" on desk { open-container c  map c iova 0 `;
    expect(await labels(`${text}| }`)).toEqual(expect.arrayContaining(['size', 'from', 'rw', 'expect']));
    expect(await labels(`${text}| }`)).not.toContain('iova');
    expect(await labels(`${text}size 4KiB expect | }`)).toEqual(expect.arrayContaining(['ok', 'EINVAL', 'EBUSY']));
  });

  it('keeps handles of other processes and of later steps out', async () => {
    const text = `${DESK}scenario "s" on desk { by a open-container one  iommu-info | open-container later }`;
    const found = await labels(text);
    expect(found).not.toContain('one');
    expect(found).not.toContain('later');
  });

  it('offers devices and hosts where they are due', async () => {
    expect(await labels(`${DESK}dma |`)).toEqual(expect.arrayContaining(['gpu', 'nic', 'nic.vf0']));
    expect(await labels(`${DESK}vm v on |`)).toContain('desk');
    expect(await labels(`${DESK}vm v on desk { assign gpu, | }`)).toContain('audio');
    expect(await labels(`${DESK}group g { | }`)).toContain('audio');
    expect(await labels(`${DESK}never gpu |`)).toEqual(['reaches']);
  });

  it('replaces the word that is being typed', async () => {
    const [item] = (await completions(`${DESK}dma gp|`)).filter((each) => each.label === 'gpu');
    const range = (item!.textEdit as TextEdit).range;
    expect(range.end.character - range.start.character).toBe(2);
  });

  it('is silent in comments and strings', async () => {
    expect(await labels('// ho|')).toEqual([]);
    expect(await labels('use "ho|"')).toEqual([]);
  });

  it('works in text that does not parse', async () => expect(await labels(`${DESK}vm v on desk { memory\n assign |`)).toContain('gpu'));
});

describe('hover', () => {
  it('shows the doc comment and the head of what a name means', async () => {
    const text = await hover(`/// My machine.\n/// It is old.\n${DESK}vm v on de|sk { }`);
    expect(text).toContain('host desk');
    expect(text).toContain('My machine.\nIt is old.');
  });

  it('shows call, operands and rules of a verb', async () => {
    const text = await hover(`${DESK}scenario "s" on desk { open-contai|ner c }`);
    expect(text).toContain('open("/dev/vfio/vfio")');
    expect(text).toContain('VFG-01');
  });

  it('explains operands, properties and keywords', async () => {
    expect(await hover(`${DESK}scenario "s" on desk { open-container c map c io|va 0 size 4KiB }`)).toContain('first I/O virtual address');
    expect(await hover('host h { function f at 01:00.0 { acs-con|trol SV } }')).toContain('ACS *control* register');
    expect(await hover('host h { root-po|rt p at 00:01.0 }')).toContain('root port');
  });

  it('says nothing on white space and comments', async () => expect(await hover('host h { } // comm|ent')).toBe(''));
});

describe('navigation', () => {
  it('goes to the definition, also of a virtual function and of memory without a name', async () => {
    for (const [marked, target] of [
      [`${DESK}dma gp|u read 0`, 'gpu'], [`${DESK}dma nic.v|f2 read 0`, 'sriov'],
      [`${DESK}vm v on desk { memory 1GiB }\nscenario "s" on desk { open-container c map c size 4KiB from v.mem|ory }`, 'memory'],
      [`${DESK}scenario "s" on desk { open-container c\niommu-info c| }`, 'c'],
    ] as const) {
      const { document, params } = await at(marked);
      const [link] = (await lsp.DefinitionProvider!.getDefinition(document, params)) ?? [];
      expect(document.textDocument.getText(link!.targetSelectionRange)).toBe(target);
    }
  });

  it('finds references', async () => {
    const { document, params } = await at(`${DESK}group g { gp|u }\ndma gpu read 0`);
    const found = await lsp.ReferencesProvider!.findReferences(document, { ...params, context: { includeDeclaration: true } });
    expect(found).toHaveLength(4);
  });

  it('outlines hosts, devices, owners and scenarios', async () => {
    const { document, params } = await at(`|${DESK}vm v on desk { memory 1GiB }\nscenario "a b" on desk { open-container c }`);
    const symbols = (await lsp.DocumentSymbolProvider!.getSymbols(document, params))!;
    expect(symbols.map((symbol) => symbol.name)).toEqual(['desk', 'v', 'a b']);
    expect(symbols[0]!.children!.map((symbol) => symbol.name)).toEqual(['ivhd0', 'slot1', 'slot2', 'usb', 'vgpu0']);
    expect(symbols[0]!.children![1]).toMatchObject({ detail: 'root-port 00:01.1' });
  });

  it('lists the named things of all files', async () => {
    await workspace.open('host unmistakable { function inside at 01:00.0 }');
    const names = (await workspace.services.shared.lsp.WorkspaceSymbolProvider!.getSymbols({ query: 'unmist' })).map((symbol) => symbol.name);
    expect(names).toContain('unmistakable');
  });

  it('links used files and rules in comments', async () => {
    const { document } = await at('|use "other.iommu" // VFT-11 says so', 'file:///dir/links.iommu');
    const links = new IommuDocumentLinkProvider((rule) => `file:///rules.md#${rule}`).getDocumentLinks(document);
    expect(links.map((link) => link.target)).toEqual(['file:///dir/other.iommu', 'file:///rules.md#VFT-11']);
  });

  it('grows a selection from the word to the file', async () => {
    const { document, params } = await at(`${DESK}dma gpu re|ad 0`);
    let range = selectionRanges(document, [params.position])[0];
    const texts: string[] = [];
    for (; range !== undefined; range = range.parent) texts.push(document.textDocument.getText(range.range));
    expect(texts[0]).toBe('read');
    expect(texts).toContain('dma gpu read 0');
    expect(texts.at(-1)).toContain('host desk');
  });
});

describe('renaming', () => {
  async function renamed(marked: string, newName: string): Promise<string> {
    const { document, params } = await at(marked);
    const edit = await lsp.RenameProvider!.rename(document, { ...params, newName });
    return TextDocument.applyEdits(document.textDocument as TextDocument, edit?.changes?.[document.uri.toString()] ?? []);
  }

  it('changes every mention, and only the right part of qualified names', async () => {
    const text = (nic: string): string => `host h { function ${nic} at 01:00.0 { sriov vfs 2 of 2 offset 1 stride 1 } }\ngroup g { ${nic}, ${nic}.vf1, h.${nic} }`;
    expect(await renamed(text('nic').replace('group g { nic', 'group g { ni|c'), 'card')).toBe(text('card'));
    expect(await renamed(text('nic').replace('nic.vf1', 'n|ic.vf1'), 'card')).toBe(text('card'));
  });

  it('changes an owner where its memory is mentioned and where it makes a call', async () => {
    const text = (vm: string): string => `host h { }\nvm ${vm} on h { memory 1GiB }\nscenario "s" on h { by ${vm} open-container c  by ${vm} map c size 4KiB from ${vm}.memory  kill ${vm} }`;
    expect(await renamed(text('v').replace('vm v', 'vm v|'), 'win')).toBe(text('win'));
  });

  it('changes a handle in its scenario only', async () => {
    const text = (c: string): string => `host h { }\nscenario "a" on h { open-container ${c}  iommu-info ${c} }\nscenario "b" on h { open-container c }`;
    expect(await renamed(text('c').replace('open-container c  ', 'open-container c|  '), 'box')).toBe(text('box'));
  });

  it('refuses words of the language and what is no name', async () => {
    await expect(async () => renamed('host h| { }', 'bridge')).rejects.toThrow('word of the language');
    await expect(async () => renamed('host h| { }', '1x')).rejects.toThrow('no name');
  });
});

describe('colours and layout', () => {
  it('tells declarations, verbs, properties and values apart', async () => {
    const { document, params } = await at(`|${DESK}scenario "s" on desk { open-container c  set-iommu c type1 }`);
    const tokens = await lsp.SemanticTokenProvider!.semanticHighlight(document, params);
    expect(tokens.data.length % 5).toBe(0);
    const types = new Set(Array.from({ length: tokens.data.length / 5 }, (_, i) => tokens.data[i * 5 + 3]));
    expect(types.size).toBeGreaterThan(5);
  });

  it('gives edits only for lines that change', async () => {
    const { document, params } = await at('|host h {\nfunction f at 01:00.0\n}\n');
    const options = { tabSize: 2, insertSpaces: true };
    const edits = await lsp.Formatter!.formatDocument(document, { ...params, options });
    expect(edits.map((edit) => [edit.range.start.line, edit.newText])).toEqual([[1, '  function f at 01:00.0']]);
  });

  it('folds hosts', async () => {
    const { document, params } = await at(`|${DESK}`);
    expect((await lsp.FoldingRangeProvider!.getFoldingRanges(document, params)).length).toBeGreaterThan(1);
  });
});

class Files extends EmptyFileSystemProvider {
  readonly texts = new Map<string, string>();

  override async readFile(uri?: URI): Promise<string> {
    return this.texts.get(String(uri)) ?? '';
  }
}

describe('services', () => {
  it('follow a used file when it appears, changes and goes', async () => {
    const files = new Files();
    const { shared, iommu } = createIommuServices({ fileSystemProvider: () => files });
    const { LangiumDocumentFactory, LangiumDocuments, DocumentBuilder } = shared.workspace;
    DocumentBuilder.updateBuildOptions = { validation: true };
    const main = LangiumDocumentFactory.fromString('use "middle.iommu"\ndma gpu read 0', URI.parse('memory:///main.iommu'));
    LangiumDocuments.addDocument(main);
    await DocumentBuilder.build([main], { validation: true });
    const problems = () => main.diagnostics!.map((diagnostic) => String(diagnostic.code ?? 'link'));
    expect(problems()).toEqual(['link', 'language/missing-file']);

    const change = async (path: string, text: string): Promise<void> => {
      const uri = URI.parse(`memory:///${path}`);
      files.texts.set(uri.toString(), text);
      if (!LangiumDocuments.hasDocument(uri)) LangiumDocuments.addDocument(LangiumDocumentFactory.fromString('', uri));
      await DocumentBuilder.update([uri], []);
    };
    await change('middle.iommu', 'use "host.iommu"');
    expect(problems()).toEqual(['link']);
    await change('host.iommu', 'host h { function gpu at 01:00.0 }');
    expect(problems()).toEqual([]);
    expect(lowerDocument(main, iommu).description.questions).toHaveLength(1);
    await change('host.iommu', 'host h { function other at 01:00.0 }');
    expect(problems()).toEqual(['link']);
    expect(lowerDocument(main, iommu).description.questions).toHaveLength(0);
    await DocumentBuilder.update([], [URI.parse('memory:///host.iommu')]);
    expect(problems()).toEqual(['link']);
    expect(lowerDocument(main, iommu).description.hosts).toHaveLength(0);
  });
});

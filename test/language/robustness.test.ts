/** Invalid or huge input never throws: every part of the language answers something for any text. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { selectionRanges } from '../../language/editor/index.js';
import { formatText, lowerDocument } from '../../language/index.js';
import { allWords } from '../../language/tokens.js';
import { parse, problemsOf, Workspace } from './support.js';

const words = allWords().map((word) => word.name);
const soup = fc.array(fc.oneof(
  fc.constantFrom(...words), fc.constantFrom('{', '}', ',', ':', '..', '.', '+', '=', '!', '\n'),
  fc.constantFrom('a', 'gpu', 'nic.vf0', '0x1000', '4KiB', '99999999999999999999', '01:00.0', '10de:2484', '1f', '6.12', '"text"', '"open', '// c\n', '/*', '@', '\u0000', 'ä'),
), { maxLength: 80 }).map((parts) => parts.join(' '));

const workspace = new Workspace();
const { lsp } = workspace.services.iommu;

describe('any text', () => {
  it('is parsed, linked, checked, lowered, laid out and completed without throwing', async () => {
    await fc.assert(fc.asyncProperty(soup, fc.nat(400), async (text, where) => {
      const document = await workspace.open(text, undefined, true);
      const position = document.textDocument.positionAt(Math.min(where, text.length));
      const params = { textDocument: { uri: document.uri.toString() }, position };
      const { description, places } = lowerDocument(document, workspace.services);
      for (const host of description.hosts) for (const each of host.functions) expect(places.get(each.id)).toBeDefined();
      await lsp.CompletionProvider!.getCompletion(document, params);
      await lsp.HoverProvider!.getHoverContent(document, params);
      await lsp.RenameProvider!.prepareRename(document, params);
      await lsp.DefinitionProvider!.getDefinition(document, params);
      await lsp.DocumentSymbolProvider!.getSymbols(document, params);
      await lsp.SemanticTokenProvider!.semanticHighlight(document, params);
      await lsp.FoldingRangeProvider!.getFoldingRanges(document, params);
      expect(selectionRanges(document, [position])).toHaveLength(1);
      expect(formatText(formatText(text))).toBe(formatText(text));
      workspace.close(document);
    }), { numRuns: 300 });
  });

  it('of any length of nesting is cut, not fallen over', async () => {
    const text = `host h { ${Array.from({ length: 20_000 }, (_, i) => `root-port p${i} {`).join(' ')}`;
    expect((await problemsOf(text)).some((problem) => problem.includes('nested more than 64 deep'))).toBe(true);
  });

  it('keeps what follows braces that were nested too deep', async () => {
    const deep = `host h { ${'bridge b : pci { '.repeat(100)}${'} '.repeat(100)} }\nhost after { function f at 01:00.0 }`;
    expect((await parse(deep)).description.hosts.map((host) => host.name)).toContain('after');
  });

  it('asks for absurd counts without making them', async () => {
    const { description } = await parse('host h { function nic at 01:00.0 { sriov vfs 0xffff_ffff_ffff_ffff } }');
    expect(description.hosts[0]!.functions.map((each) => each.name)).toEqual(['nic']);
  });
});

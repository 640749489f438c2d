/** What is kept of a file from one edit to the next: nobody may be able to tell. */
import fc from 'fast-check';
import { EmptyFileSystem, isAstNode, isCompositeCstNode, isLeafCstNode, isReference, URI, type AstNode, type CstNode, type ParseResult } from 'langium';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { describe, expect, it } from 'vitest';
import { simulate } from '../../server/simulator/index.js';
import type * as ast from '../../language/generated/ast.js';
import { createIommuServices } from '../../language/editor/index.js';
import { lowerDocument, problemsIn } from '../../language/index.js';
import { IommuParser } from '../../language/parser.js';
import { reparse } from '../../language/reparse.js';
import { sampleFile } from '../bench/sample.js';

const { iommu, shared } = createIommuServices(EmptyFileSystem);
const parser = iommu.parser.LangiumParser as IommuParser;
const again = (previous: ParseResult, text: string): ParseResult | undefined => reparse(parser, iommu.parser.Lexer, previous, text);

/** A tree as plain data: every node of both trees with its place, its parent and what it leads to. */
function dump({ value: root, parserErrors, lexerErrors }: ParseResult): unknown {
  const ids = new Map<AstNode, number>();
  const syntax = new Map<CstNode, number>();
  const number = (node: CstNode): void => {
    syntax.set(node, syntax.size);
    if (isCompositeCstNode(node)) node.content.forEach(number);
  };
  number(root.$cstNode!);
  const visit = (node: AstNode): unknown => {
    ids.set(node, ids.size);
    const parent = node.$container === undefined ? undefined : ids.get(node.$container);
    const own = Object.entries(node).filter(([key]) => !key.startsWith('$')).sort(([a], [b]) => (a < b ? -1 : 1));
    return { type: node.$type, parent, property: node.$containerProperty, index: node.$containerIndex, cst: syntax.get(node.$cstNode!), own: own.map(([key, value]) => [key, plain(value)]) };
  };
  const plain = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(plain);
    if (isAstNode(value)) return visit(value);
    return isReference(value) ? { text: value.$refText, from: value.$refNode?.offset, to: value.$refNode?.end, root: value.$refNode?.root === root.$cstNode } : value;
  };
  const tree = visit(root);
  const leaves = [...syntax.keys()].map((node) => [
    node.offset, node.end, node.range, node.hidden, isLeafCstNode(node) ? node.tokenType.name : '', syntax.get(node.container!), ids.get(node.astNode), node.grammarSource?.$type, node.grammarSource?.$cstNode?.offset,
    node.container?.content.indexOf(node),
  ]);
  return { tree, leaves, text: root.$cstNode!.root.fullText, errors: [...parserErrors, ...lexerErrors].map((error) => error.message) };
}

/** The farthest look from each place. */
function looksAt({ value }: ParseResult): Map<number, number> {
  const farthest = new Map<number, number>();
  for (const { from, to } of parser.looksOf(value)) farthest.set(from, Math.max(to, farthest.get(from) ?? 0));
  return farthest;
}

function expectTheSame(partly: ParseResult, whole: ParseResult): void {
  const [ours, theirs] = [partly, whole].map((result) => JSON.stringify(dump(result), (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)));
  // Says where they differ; comparing the texts alone is many times faster.
  if (ours !== theirs) expect(dump(partly)).toEqual(dump(whole));
  // While it learns its grammar the parser may look farther than it must.
  const looks = looksAt(partly);
  for (const [from, to] of looksAt(whole)) expect(looks.get(from)).toBeGreaterThanOrEqual(to);
}

const EXAMPLE = `// A host
/* with */ host desk {
  kernel 6.12 cmdline "intel_iommu=on" { options VFIO_NOIOMMU }
  iommu dmar0 : vtd { covers rest }
  root-port slot1 at 00:01.1 { acs SV, RR
    // the card
    function gpu at 01:00.0 { id 10de:2484 driver vfio-pci bar 0 at 0xfc00_0000 size 16MiB }
    function audio at 01:00.1 { driver snd }  // beside it
    /* last */
  }
  integrated usb at 00:14.0 { reset-method flr }
}
group both { gpu, audio }
vm guest on desk { memory 1GiB  assign gpu, audio }
scenario "maps" on desk kernel 5.13 {
  memory ram size 1MiB backing 4KiB
  open-container c
  open-group g of gpu  set-container g to c
  set-iommu c type1v2
  map c iova 0x1000 size 4KiB from ram rw expect ok
  dma gpu read 0x1000 size 64 expect ok // fine
}
scenario "ids" on desk {
  open-iommufd f
  bind-iommufd gpu to f
  ioas-alloc a of f
  ioas-map a iova 0x10_0000 size 4KiB from ram rw
  ioas-unmap a iova 0x10_0000 size 4KiB
  attach gpu to a expect EINVAL
}
dma gpu write 0x2000
never gpu reaches memory of host
// the end
`;

const SNIPPETS = [
  ' ', '\n', '\r\n', '\t', 'x', '1', '0', '.', ':', ',', '-', '_', '}', '{', '"', '//', '/*', '*/', '// words\n', '/* a\nb */', '{ }', '} host other {', ' acs SV', ' multifunction ', 'driver none ', 'at', ' expect ok ', ' attach gpu to a ',
  '\n  map c iova 0x3000 size 4KiB from ram rw\n', '\nfunction nic at 02:00.0 { driver igb }\n', '\nroot-port rp at 00:02.0 { function nic at 02:00.0 { } }\n', ' memory 4GiB ', '\nlet base = 0x1000\n', ' cmdline "x" ', '+ base', ' pasid 5', ' by qemu ', ' 0x1000 ', '00:01.0', 'dead:beef',
];

interface RandomEdit { readonly at: number; readonly removed: number; readonly inserted: string }

const edits = fc.record({ at: fc.nat(), removed: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 60 })), inserted: fc.oneof(fc.constant(''), fc.constantFrom(...SNIPPETS)) });

function apply(text: string, { at, removed, inserted }: RandomEdit): string {
  const start = at % (text.length + 1);
  return text.slice(0, start) + inserted + text.slice(start + removed);
}

describe('parsing after an edit', () => {
  it('is like parsing the whole text', () => {
    let kept = 0;
    let asked = 0;
    fc.assert(fc.property(fc.constantFrom(EXAMPLE, EXAMPLE.replaceAll('\n', '\r\n'), sampleFile(60)), fc.array(edits, { minLength: 1, maxLength: 12 }), (first, several) => {
      let text = first;
      let result = parser.parse(text);
      for (const edit of several) {
        const next = apply(text, edit);
        const partly = again(result, next);
        const whole = parser.parse(next);
        asked++;
        if (partly !== undefined) {
          kept++;
          expectTheSame(partly, whole);
        }
        // What broke the text is taken back, so that the next edit finds a good one.
        const good = whole.parserErrors.length + whole.lexerErrors.length === 0;
        result = partly ?? (good ? whole : parser.parse(text));
        if (good) text = next;
      }
    }), { numRuns: Number(process.env['REPARSE_RUNS'] ?? 80) });
    expect(kept / asked, 'edits that kept something').toBeGreaterThan(0.1);
  }, 600_000);

  it.each([
    ['a digit', '0x1000 size 4KiB', '0x1000 size 8KiB'], ['a new line', '  integrated', '\n  integrated'], ['a comment', ' // fine', ' // fine, really'], ['a name', 'function audio', 'function sound'],
    ['a new statement', '  /* last */', '  function more at 01:00.2 { }'], ['the end', '// the end', '// The End'], ['a removed statement', '  open-container c\n', ''],
  ])('keeps the other statements when %s changes', (_, from, to) => {
    const before = parser.parse(EXAMPLE);
    const text = EXAMPLE.replace(from, to);
    const result = again(before, text);
    expect(result).toBeDefined();
    expectTheSame(result!, parser.parse(text));
  });

  it('parses the whole text when a statement breaks, or a brace closes another block', () => {
    const before = parser.parse(EXAMPLE);
    for (const [from, to] of [['size 16MiB', 'size'], ['id 10de:2484', '} } host other { root-port p { id 10de:2484'], ['"intel_iommu=on"', '"intel_iommu=on'], ['// fine', '/* fine']] as const) {
      expect(again(before, EXAMPLE.replace(from, to)), to).toBeUndefined();
      expectTheSame(before, parser.parse(EXAMPLE));
    }
  });

  it('knows of a statement that the parser saw the next one from', () => {
    // Whether `f` is a new handle or an operand shows in what comes after it.
    const before = parser.parse(EXAMPLE);
    const at = EXAMPLE.indexOf('open-iommufd f') + 'open-iommufd '.length;
    expect(parser.looksOf(before.value).some((look) => look.from === at && look.to > EXAMPLE.indexOf('bind-iommufd gpu'))).toBe(true);
    const text = EXAMPLE.replace('bind-iommufd gpu', 'bind-iommufd nic');
    const result = again(before, text);
    expectTheSame(result!, parser.parse(text));
  });
});

describe('a document after an edit', () => {
  const { LangiumDocuments, LangiumDocumentFactory, DocumentBuilder } = shared.workspace;

  async function fresh(text: string, uri = URI.parse('file:///edited.iommu')): Promise<unknown> {
    const services = createIommuServices(EmptyFileSystem);
    const document = services.shared.workspace.LangiumDocumentFactory.fromString(text, uri);
    services.shared.workspace.LangiumDocuments.addDocument(document);
    await services.shared.workspace.DocumentBuilder.build([document], { validation: true });
    return outcome(lowerDocument(document, services), problemsIn(document));
  }

  const outcome = ({ description, places }: ReturnType<typeof lowerDocument>, problems: unknown): unknown => ({ description, places: [...places], problems, report: simulate(description) });

  it('has the same problems, places, description and report as a new one', async () => {
    const uri = URI.parse('file:///edited.iommu');
    let text = EXAMPLE;
    let current = TextDocument.create(uri.toString(), 'iommu', 0, text);
    const open = { get: () => current, set: () => true, delete: () => {}, keys: () => [], all: () => [current] };
    Object.assign(LangiumDocumentFactory, { textDocuments: open });
    const document = LangiumDocumentFactory.fromTextDocument(current, uri);
    LangiumDocuments.addDocument(document);
    await DocumentBuilder.build([document], { validation: true });
    await fc.assert(fc.asyncProperty(fc.array(edits, { minLength: 1, maxLength: 6 }), async (several) => {
      for (const edit of several) {
        text = apply(text, edit);
        current = TextDocument.create(uri.toString(), 'iommu', current.version + 1, text);
        await DocumentBuilder.update([uri], []);
        expect(outcome(lowerDocument(document, { shared }), problemsIn(document))).toEqual(await fresh(text));
        // A text with a syntax error is parsed as a whole: back to one without.
        if (document.parseResult.parserErrors.length + document.parseResult.lexerErrors.length > 0) text = EXAMPLE;
      }
    }), { numRuns: Number(process.env['REPARSE_RUNS'] ?? 10) });
  }, 600_000);

  it('keeps what the edit does not touch, also when the text was broken in between', async () => {
    const uri = URI.parse('file:///kept.iommu');
    let current = TextDocument.create(uri.toString(), 'iommu', 0, EXAMPLE);
    Object.assign(LangiumDocumentFactory, { textDocuments: { get: () => current } });
    const document = LangiumDocumentFactory.fromTextDocument(current, uri);
    LangiumDocuments.addDocument(document);
    await DocumentBuilder.build([document], { validation: true });
    const statements = (): readonly AstNode[] => (document.parseResult.value as ast.File).statements;
    const edit = async (from: string, to: string): Promise<void> => {
      current = TextDocument.create(uri.toString(), 'iommu', current.version + 1, EXAMPLE.replace(from, to));
      await DocumentBuilder.update([uri], []);
    };
    await edit('dma gpu write 0x2000', 'dma gpu write 0x3000');
    const [host] = statements();
    await edit('dma gpu write 0x2000', 'dma gpu write "0x3000');
    expect(document.parseResult.lexerErrors).not.toEqual([]);
    expect(statements()[0]).not.toBe(host);
    await edit('dma gpu write 0x2000', 'dma gpu write 0x4000');
    expect(statements()[0]).toBe(host);
    expect(outcome(lowerDocument(document, { shared }), problemsIn(document))).toEqual(await fresh(current.getText(), uri));
  });
});

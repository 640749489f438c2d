/** The outline. */
import type { AstNode, AstNodeDescription } from 'langium';
import { DefaultDocumentSymbolProvider, DefaultNodeKindProvider } from 'langium/lsp';
import { CompletionItemKind, SymbolKind, type DocumentSymbol } from 'vscode-languageserver';
import type { LangiumDocument } from 'langium';
import * as ast from '../generated/ast.js';

/** Handles are steps, not things: they would drown the outline. */
export class IommuDocumentSymbolProvider extends DefaultDocumentSymbolProvider {
  protected override getSymbol(document: LangiumDocument, node: AstNode): DocumentSymbol[] {
    if (ast.isStep(node) || ast.isSriov(node) || ast.isDeviceRef(node)) return [];
    return super.getSymbol(document, node).map((symbol) => ({ ...symbol, detail: detailOf(node) ?? symbol.detail }));
  }
}

function detailOf(node: AstNode): string | undefined {
  if (ast.isPciFunction(node)) return [node.kind, node.address].filter((part) => part !== undefined).join(' ');
  if (ast.isIommu(node)) return node.architecture;
  return ast.isOwner(node) ? node.kind : undefined;
}

const SYMBOL_KINDS: Readonly<Record<string, SymbolKind>> = {
  Host: SymbolKind.Module, Scenario: SymbolKind.Function, Owner: SymbolKind.Class, Domain: SymbolKind.Struct, GroupClaim: SymbolKind.Array,
  Constant: SymbolKind.Constant, Iommu: SymbolKind.Interface, PciFunction: SymbolKind.Object, PlatformDevice: SymbolKind.Object,
  MediatedDevice: SymbolKind.Object, OwnerMemory: SymbolKind.Field, PasidSet: SymbolKind.Struct,
};

export class IommuNodeKindProvider extends DefaultNodeKindProvider {
  override getSymbolKind(node: AstNode | AstNodeDescription): SymbolKind {
    return SYMBOL_KINDS['$type' in node ? node.$type : node.type] ?? SymbolKind.Field;
  }

  override getCompletionItemKind(): CompletionItemKind {
    return CompletionItemKind.Variable;
  }
}

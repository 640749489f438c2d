/** Linking that leaves plain words alone and says what an unknown name may have meant. */
import { AstUtils, DefaultLinker, isReference, type AstNode, type AstNodeDescription, type LangiumCoreServices, type LangiumDocument, type LinkingError, type ReferenceInfo } from 'langium';
import type { DefaultReference } from 'langium';
import { closest } from './suggestions.js';
import { isPlainWord } from './scopes.js';

/** Suggestions look at every visible name; a document with more errors than this gets none for the rest. */
const MAX_SUGGESTIONS = 50;

/** Kinds of things as people call them, by the type of the reference. */
const KINDS: Readonly<Record<string, string>> = {
  Device: 'device', Host: 'host', Iommu: 'IOMMU unit', PciFunction: 'function', Owner: 'VM or process', Constant: 'constant', Named: 'thing',
};

export class IommuLinker extends DefaultLinker {
  private readonly suggested = new WeakMap<AstNode, number>();
  private readonly services: LangiumCoreServices;

  constructor(services: LangiumCoreServices) {
    super(services);
    this.services = services;
  }

  protected override doLink(context: ReferenceInfo, document: LangiumDocument): void {
    if (!isPlainWord(context.container)) super.doLink(context, document);
  }

  protected override resolveReference(reference: DefaultReference, node: AstNode, property: string): AstNode | undefined {
    return isPlainWord(node) ? undefined : super.resolveReference(reference, node, property);
  }

  protected override createLinkingError(context: ReferenceInfo, target?: AstNodeDescription): LinkingError {
    const kind = KINDS[this.reflection.getReferenceType(context)] ?? 'thing';
    const name = isReference(context.reference) ? context.reference.$refText : '';
    return { info: context, message: `No ${kind} is named \`${name}\` here.${this.suggestion(context, name)}`, targetDescription: target };
  }

  private suggestion(context: ReferenceInfo, name: string): string {
    const root = AstUtils.findRootNode(context.container);
    const count = this.suggested.get(root) ?? 0;
    if (count >= MAX_SUGGESTIONS) return '';
    this.suggested.set(root, count + 1);
    const near = closest(name, this.services.references.ScopeProvider.getScope(context).getAllElements().map((element) => element.name));
    return near === undefined ? '' : ` Did you mean \`${near}\`?`;
  }
}

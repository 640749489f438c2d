/** Linking that leaves plain words alone and says what an unknown name may have meant. */
import {
  AstUtils, Cancellation, DefaultLinker, interruptAndCheck, isReference,
  type AstNode, type AstNodeDescription, type DefaultReference, type LangiumDocument, type LinkingError, type ReferenceInfo,
} from 'langium';
import { referencesIn } from './references.js';
import { closest } from './suggestions.js';
import { isPlainWord, type IommuScopeProvider } from './scopes.js';

/** Suggestions look at every visible name; a document with more errors than this gets none for the rest. */
const MAX_SUGGESTIONS = 50;

/** Kinds of things as people call them, by the type of the reference. */
const KINDS: Readonly<Record<string, string>> = {
  Device: 'device', Host: 'host', Iommu: 'IOMMU unit', PciFunction: 'function', Owner: 'VM or process', Constant: 'constant', Named: 'thing',
};

export class IommuLinker extends DefaultLinker {
  private readonly suggested = new WeakMap<AstNode, number>();

  private get scopes(): IommuScopeProvider {
    return this.scopeProvider as IommuScopeProvider;
  }

  override async link(document: LangiumDocument, cancel = Cancellation.CancellationToken.None): Promise<void> {
    const { references } = document;
    for (const info of referencesIn(document.parseResult.value)) {
      const reference = info.reference as DefaultReference;
      // Looking one up may have resolved others.
      if (reference._ref !== undefined) continue;
      reference._ref = this.scopes.find(info) ?? this.createLinkingError(info);
      references.push(reference);
    }
    await interruptAndCheck(cancel);
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
    const near = closest(name, this.scopes.namesFor(context));
    return near === undefined ? '' : ` Did you mean \`${near}\`?`;
  }
}

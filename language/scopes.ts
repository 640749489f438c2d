/** Cross references by the tables of `names.ts`: no stream over siblings, no copy of a scope per reference. */
import {
  AstUtils, EMPTY_SCOPE, EMPTY_STREAM, stream,
  type AstNode, type AstNodeDescription, type AstReflection, type LangiumCoreServices, type LangiumDocument, type LangiumDocuments,
  type ReferenceInfo, type Scope, type ScopeProvider, type Stream,
} from 'langium';
import * as ast from './generated/ast.js';
import { filesOf, Names } from './names.js';
import { operandOf } from './steps.js';

export class IommuScopeProvider implements ScopeProvider {
  private readonly documents: () => LangiumDocuments;
  private readonly reflection: AstReflection;
  private readonly describe: (node: AstNode, name: string) => AstNodeDescription;

  constructor(services: LangiumCoreServices) {
    this.documents = () => services.shared.workspace.LangiumDocuments;
    this.reflection = services.shared.AstReflection;
    const descriptions = services.workspace.AstNodeDescriptionProvider;
    this.describe = (node, name) => descriptions.createDescription(node, name);
  }

  /** What a reference means; undefined when its name is unknown. */
  find(context: ReferenceInfo): AstNode | undefined {
    return this.namesAt(context.container).find(context.reference.$refText, placeOf(context), this.acceptedBy(context));
  }

  getScope(context: ReferenceInfo): Scope {
    if (isPlainWord(context.container)) return EMPTY_SCOPE;
    return new NameScope(this.namesAt(context.container), placeOf(context), this.acceptedBy(context), this.describe);
  }

  /** The names that could stand in its place. */
  *namesFor(context: ReferenceInfo): Iterable<string> {
    const accepts = this.acceptedBy(context);
    for (const [name, node] of this.namesAt(context.container).visible(placeOf(context))) if (accepts(node)) yield name;
  }

  namesAt(node: AstNode): Names {
    return namesFrom(AstUtils.getDocument(node), this.documents());
  }

  private acceptedBy(context: ReferenceInfo): (node: AstNode) => boolean {
    const type = this.reflection.getReferenceType(context);
    return (node) => this.reflection.isSubtype(node.$type, type);
  }
}

/** Where a name is looked up from: the host that a statement names decides what else it sees, so it is itself looked up from outside. */
const placeOf = ({ property, container }: ReferenceInfo): AstNode => (property === 'host' ? AstUtils.findRootNode(container) : container);

const namesCache = new WeakMap<AstNode, { readonly roots: readonly AstNode[]; readonly names: Names }>();

/** The names that a document sees. The same object as long as none of its files was parsed again. */
export function namesFrom(document: LangiumDocument, documents: LangiumDocuments): Names {
  const roots = filesOf(document, documents).map((file) => file.parseResult.value).filter(ast.isFile);
  const root = document.parseResult.value;
  const known = namesCache.get(root);
  if (known !== undefined && known.roots.length === roots.length && known.roots.every((file, i) => file === roots[i])) return known.names;
  const names = new Names(roots);
  namesCache.set(root, { roots, names });
  return names;
}

/** Words of a step that name nothing: flags, and operands that the verb table calls words. */
export function isPlainWord(node: AstNode): boolean {
  if (!ast.isNameAtom(node)) return false;
  const kind = operandOf(node.$container, node)?.spec.kind;
  return kind === undefined || kind === 'word' || kind === 'text';
}

class NameScope implements Scope {
  constructor(
    private readonly names: Names,
    private readonly at: AstNode,
    private readonly accepts: (node: AstNode) => boolean,
    private readonly describe: (node: AstNode, name: string) => AstNodeDescription,
  ) {}

  getElement(name: string): AstNodeDescription | undefined {
    const node = this.names.find(name, this.at, this.accepts);
    return node === undefined ? undefined : this.describe(node, name);
  }

  getElements(name: string): Stream<AstNodeDescription> {
    const element = this.getElement(name);
    return element === undefined ? EMPTY_STREAM : stream([element]);
  }

  getAllElements(): Stream<AstNodeDescription> {
    const seen = new Set<string>();
    const visible: AstNodeDescription[] = [];
    for (const [name, node] of this.names.visible(this.at)) {
      if (seen.has(name) || !this.accepts(node)) continue;
      seen.add(name);
      visible.push({ ...this.describe(node, name), name });
    }
    return stream(visible);
  }
}

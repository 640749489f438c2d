/** The references of a tree. Those of a statement are gathered once, however often the file around it is edited. */
import { isAstNode, isReference, type AstNode, type ReferenceInfo } from 'langium';
import * as ast from './generated/ast.js';
import { isPlainWord } from './scopes.js';

const gathered = new WeakMap<AstNode, readonly ReferenceInfo[]>();

/** Of `node` and all in it, in the order of the text; words that name nothing are left out. */
export function referencesIn(node: AstNode): ReferenceInfo[] {
  const all: ReferenceInfo[] = [];
  visit(node, all);
  return all;
}

function visit(node: AstNode, all: ReferenceInfo[]): void {
  // Statements come and go in these; all others stay as they were parsed.
  if (ast.isFile(node) || ast.isHost(node) || ast.isPciFunction(node) || ast.isScenario(node)) gather(node, all);
  else for (const info of ofStatement(node)) all.push(info);
}

function ofStatement(node: AstNode): readonly ReferenceInfo[] {
  const known = gathered.get(node);
  if (known !== undefined) return known;
  const own: ReferenceInfo[] = [];
  gather(node, own);
  gathered.set(node, own);
  return own;
}

function gather(node: AstNode, all: ReferenceInfo[]): void {
  for (const [property, value] of Object.entries(node)) {
    if (property.startsWith('$')) continue;
    if (Array.isArray(value)) for (const entry of value) gatherValue(node, property, entry, all);
    else gatherValue(node, property, value, all);
  }
}

function gatherValue(container: AstNode, property: string, value: unknown, all: ReferenceInfo[]): void {
  if (isAstNode(value)) visit(value, all);
  else if (isReference(value) && !isPlainWord(container)) all.push({ reference: value, container, property });
}

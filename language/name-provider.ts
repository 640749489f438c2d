/** Names of things, and what to jump to for those that have none of their own. */
import { DefaultNameProvider, GrammarUtils, type AstNode, type CstNode } from 'langium';
import * as ast from './generated/ast.js';

export class IommuNameProvider extends DefaultNameProvider {
  override getName(node: AstNode): string | undefined {
    return ast.isScenario(node) ? node.title : super.getName(node);
  }

  /** `nic.vf3` leads to the `sriov` statement of `nic`, `win11.memory` to the unnamed memory of the VM: to their keywords. */
  override getNameNode(node: AstNode): CstNode | undefined {
    if (ast.isScenario(node)) return GrammarUtils.findNodeForProperty(node.$cstNode, 'title');
    if (ast.isSriov(node)) return GrammarUtils.findNodeForKeyword(node.$cstNode, 'sriov');
    return super.getNameNode(node) ?? (ast.isOwnerMemory(node) ? GrammarUtils.findNodeForKeyword(node.$cstNode, 'memory') : undefined);
  }
}

/** From token text to AST values: integers become exact `bigint`s. */
import { DefaultValueConverter, GrammarAST, type CstNode, type ValueType } from 'langium';
import { parseInteger } from './numbers.js';

export class IommuValueConverter extends DefaultValueConverter {
  protected override runConverter(rule: GrammarAST.AbstractRule, input: string, node: CstNode): ValueType {
    if (rule.name === 'Integer') return parseInteger(input) ?? 0n;
    return super.runConverter(rule, input, node);
  }
}

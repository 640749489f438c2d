/** Simple properties as values, by the property table. A value that is broken counts as not given. */
import type { AstNode } from 'langium';
import * as ast from '../generated/ast.js';
import { parseInteger, smallNumber } from '../numbers.js';
import { NEGATED_KEYS, positive, propertyOf, type Holder } from '../properties.js';

export class Properties {
  private readonly byKey = new Map<string, ast.SimpleProperty>();

  constructor(private readonly holder: Holder, statements: readonly AstNode[]) {
    for (const statement of statements) {
      if (!ast.isSimpleProperty(statement) || statement.key === undefined) continue;
      const key = positive(statement.key);
      if (!this.byKey.has(key)) this.byKey.set(key, statement);
    }
  }

  has(key: string): boolean {
    return this.byKey.has(key);
  }

  /** Unquoted values; empty when the property is not given. */
  texts(key: string): string[] {
    return (this.byKey.get(key)?.values ?? []).map(unquoted);
  }

  text(key: string): string | undefined {
    return this.texts(key)[0];
  }

  /** As written, or undefined. */
  statedFlag(key: string): boolean | undefined {
    const statement = this.byKey.get(key);
    if (statement === undefined) return undefined;
    return NEGATED_KEYS.has(statement.key) ? false : unquoted(statement.values[0] ?? 'yes') !== 'no';
  }

  /** As written, or as usual for such a thing. */
  flag(key: string): boolean {
    return this.statedFlag(key) ?? propertyOf(this.holder, key)?.usual ?? false;
  }

  integers(key: string): bigint[] {
    return this.texts(key).flatMap((text) => parseInteger(text) ?? []);
  }

  number(key: string): number | undefined {
    const [value] = this.integers(key);
    const max = propertyOf(this.holder, key)?.max ?? BigInt(Number.MAX_SAFE_INTEGER);
    return value === undefined || value > max ? undefined : smallNumber(value, Number(max));
  }

  /** One of the words that the table allows. */
  word(key: string): string | undefined {
    const text = this.text(key);
    return text !== undefined && propertyOf(this.holder, key)?.words?.includes(text) ? text : undefined;
  }
}

export const unquoted = (text: string): string => (text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, '$1') : text);

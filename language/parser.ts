/** The parser, with one rule more for its recovery from errors. */
import { prepareLangiumParser, type LangiumCoreServices, type LangiumParser } from 'langium';
import { startsOf } from './editor/cursor.js';

const BEGINNINGS: ReadonlySet<string> = new Set([...startsOf('file'), ...startsOf('host'), ...startsOf('scenario'), '{', '}']);

/**
 * When a token is missing, the generated parser may skip the one it found to get at the one it wants. It must never skip what
 * begins a statement or closes a block: the next statement would go with the broken one.
 */
export function createIommuParser(services: LangiumCoreServices): LangiumParser {
  const parser = prepareLangiumParser(services);
  const wrapper = parser['wrapper'];
  Object.assign(wrapper, { canTokenTypeBeDeletedInRecovery: () => !BEGINNINGS.has(wrapper['LA'](1).image) });
  parser.finalize();
  return parser;
}

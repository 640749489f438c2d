/** Texts that repeat the tables elsewhere: the verbs in docs/language.md, the words in the TextMate grammar. Tests keep them equal. */
import { registersOf } from '../server/simulator/hardware/register-map.js';
import { VERBS, type VerbSpec } from '../server/simulator/scenario/verbs.js';
import { ARCHITECTURES } from './lowering/host.js';
import { DMA_WORDS, EXPECTATION_WORDS } from './lowering/owners.js';
import { NEGATED_KEYS, PROPERTY_KEYS } from './properties.js';
import { describeOperand } from './steps.js';
import { allWords } from './tokens.js';

/** Registers that can be written by hand, for docs/language.md. */
export function registerReference(): string {
  const rows = Object.entries(ARCHITECTURES).flatMap(([word, architecture]) => (word === architecture ? registersOf(architecture).map(({ name, offset, bits, doc }) => `| \`${word}\` | \`${name}\` | 0x${offset.toString(16)} | ${bits} | ${doc} |`) : []));
  return ['| unit | register | offset | bits | what it decides |', '|---|---|---|---|---|', ...rows].join('\n');
}

/** One section per verb, for docs/language.md. */
export function verbReference(): string {
  return ['### Steps', '', 'Verbs are named after the call that they make.', '', ...VERBS.flatMap(verbSection)].join('\n').trimEnd();
}

function verbSection(verb: VerbSpec): string[] {
  const operands = verb.operands.map((operand) => `- ${describeOperand(operand)}${operand.optional ? ', optional' : ''}`);
  const flags = verb.flags.length === 0 ? [] : [`- flags: ${verb.flags.map((flag) => `\`${flag}\``).join(', ')}`];
  const rules = verb.rules.length === 0 ? '' : ` Rules: ${verb.rules.join(', ')}.`;
  return [`#### \`${verb.verb}\``, '', `\`${verb.call}\`. ${verb.doc}${rules} For example \`${verb.example}\`.`, '', ...operands, ...flags, ''];
}

/** A pattern for whole words; hyphens belong to words. The longest come first. */
const wordPattern = (words: Iterable<string>): string => `(?<![\\w-])(?:${[...words].sort((a, b) => b.length - a.length || (a < b ? -1 : 1)).join('|')})(?![\\w-])`;

/** The content of syntaxes/iommu.tmLanguage.json. */
export function textMateGrammar(): object {
  const verbs = new Set(VERBS.map((verb) => verb.verb));
  const properties = new Set([...PROPERTY_KEYS, ...NEGATED_KEYS].filter((word) => !verbs.has(word)));
  const keywords = allWords().map((token) => token.name).filter((word) => !verbs.has(word) && !properties.has(word));
  const values = [...Object.keys(EXPECTATION_WORDS), ...DMA_WORDS, 'yes', 'no', 'none', 'unknown', 'prefetchable', 'rw', 'r', 'w'].filter((word) => !keywords.includes(word) && !properties.has(word) && !verbs.has(word));
  return {
    $schema: 'https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json',
    name: 'IOMMU', scopeName: 'source.iommu', fileTypes: ['iommu'],
    patterns: ['comments', 'strings', 'addresses', 'numbers', 'words', 'punctuation'].map((name) => ({ include: `#${name}` })),
    repository: {
      comments: { patterns: [
        { name: 'comment.line.documentation.iommu', match: '///.*$' },
        { name: 'comment.line.double-slash.iommu', match: '//.*$' },
        { name: 'comment.block.iommu', begin: '/\\*', end: '\\*/' },
      ] },
      strings: { patterns: [{ name: 'string.quoted.double.iommu', begin: '"', end: '"|$', patterns: [{ name: 'constant.character.escape.iommu', match: '\\\\.' }] }] },
      addresses: { patterns: [
        { name: 'constant.numeric.pci-address.iommu', match: '\\b(?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\\.[0-9a-fA-F]{1,2}(?![\\w.])' },
        { name: 'constant.numeric.pci-id.iommu', match: '\\b[0-9a-fA-F]{4}:[0-9a-fA-F]{4}\\b' },
      ] },
      numbers: { patterns: [
        { name: 'constant.numeric.hex.iommu', match: '\\b0[xX][0-9a-fA-F_]+\\b' },
        { name: 'constant.numeric.version.iommu', match: '\\b[0-9][0-9a-fA-F]*(?:\\.[0-9]+)+(?:[-+][\\w.+-]*)?' },
        { match: '\\b([0-9][0-9_]*)([KMGT]iB)\\b', captures: { 1: { name: 'constant.numeric.decimal.iommu' }, 2: { name: 'keyword.other.unit.iommu' } } },
        { name: 'constant.numeric.decimal.iommu', match: '\\b[0-9][0-9_]*\\b' },
      ] },
      words: { patterns: [
        { name: 'entity.name.function.verb.iommu', match: wordPattern(verbs) },
        { name: 'support.type.property-name.iommu', match: wordPattern(properties) },
        { name: 'keyword.control.iommu', match: wordPattern(keywords) },
        { name: 'constant.language.errno.iommu', match: '(?<![\\w-])E[A-Z0-9]{3,}(?![\\w-])' },
        { name: 'constant.language.iommu', match: wordPattern(values) },
        { name: 'variable.other.iommu', match: '[A-Za-z_]\\w*(?:-\\w+)*' },
      ] },
      punctuation: { patterns: [
        { name: 'keyword.operator.range.iommu', match: '\\.\\.' },
        { name: 'punctuation.section.block.iommu', match: '[{}]' },
        { name: 'punctuation.separator.iommu', match: '[,:.=+!]' },
      ] },
    },
  };
}

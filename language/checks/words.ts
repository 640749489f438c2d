/** Properties and the other words whose meaning is a table. */
import type { AstNode } from 'langium';
import * as ast from '../generated/ast.js';
import { holderOf } from '../holders.js';
import { ARCHITECTURES, CPU_VENDORS, FIRMWARE_KINDS, GROUPINGS, IOASID_MODELS, MEDIATED_KINDS, RESERVED_TYPES } from '../lowering/host.js';
import { FUNCTION_TYPES } from '../lowering/functions.js';
import { classCode } from '../lowering/fabric.js';
import { DMA_WORDS, DOMAIN_TYPES, EXPECTATION_WORDS, MEMORY_KINDS, PERMISSIONS } from '../lowering/owners.js';
import { unquoted } from '../lowering/values.js';
import { parseInteger } from '../numbers.js';
import { parseDevfn, parseIdPair } from '../pci.js';
import { CLASS_CODES, NEGATED_KEYS, positive, PROPERTIES, propertiesOf, propertyOf, type PropertySpec, type ValueShape } from '../properties.js';
import { article } from '../steps.js';
import { closest } from '../suggestions.js';
import { isPowerOfTwo } from './amounts.js';
import { listed, type Check, type Report } from './check.js';

// ------------------------------------------------------------------------------------------------ simple properties

export function propertiesMustBeKnown(node: ast.SimpleProperty, report: Report): void {
  if (node.key === undefined) return;
  const holder = holderOf(node);
  const spec = propertyOf(holder, node.key);
  if (spec !== undefined) {
    valuesMustFitTheirProperty(node, spec, report);
    return;
  }
  const homes = PROPERTIES.filter((it) => it.key === positive(node.key)).flatMap((it) => it.on);
  const near = closest(node.key, propertiesOf(holder).map((it) => it.key));
  const hint = near === undefined ? ` It is a property of ${listed([...new Set(homes)])}.` : ` Did you mean \`${near}\`?`;
  report('language/unknown-property', node, `${capital(article(holder))} has no property \`${node.key}\`.${hint}`, { property: 'key' });
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** `bar`, `covers` and their like may be given several times: they are no simple properties. */
export function propertiesMustBeGivenOnce(properties: readonly AstNode[], report: Report): void {
  const seen = new Set<string>();
  for (const property of properties) {
    if (!ast.isSimpleProperty(property) || property.key === undefined) continue;
    const key = positive(property.key);
    if (seen.has(key)) report('language/duplicate-property', property, `\`${key}\` is given twice; the first one counts.`, { property: 'key' });
    seen.add(key);
  }
}

/** Some properties are read by one program alone. */
export function propertiesMustHaveAnEffect(owner: ast.Owner, report: Report): void {
  const properties = owner.items.filter(ast.isSimpleProperty);
  const program = properties.find(({ key }) => key === 'program')?.values[0];
  for (const property of properties) {
    const needed = property.key === undefined ? undefined : propertyOf(holderOf(property), property.key)?.program;
    if (needed !== undefined && needed !== program) report('language/without-effect', property, `Only \`program ${needed}\` looks at \`${positive(property.key)}\`: here it changes nothing.`, { property: 'key', severity: 'warning' });
  }
}

function valuesMustFitTheirProperty(node: ast.SimpleProperty, spec: PropertySpec, report: Report): void {
  const values = node.values.map(unquoted);
  const complain = (message: string, index?: number): void => report('language/property-value', node, message, index === undefined ? {} : { property: 'values', index });
  if (NEGATED_KEYS.has(node.key) && values.length > 0) complain(`\`${node.key}\` takes no value.`, 0);
  else if (values.length === 0 && spec.value !== 'flag') complain(`\`${spec.key}\` needs a value. For example: \`${spec.example}\`.`);
  else if (values.length > 1 && !LISTS.has(spec.value)) complain(`\`${spec.key}\` takes one value.`, 1);
  else values.forEach((value, index) => {
    const problem = VALUE_CHECKS[spec.value](value, spec, values.length === 1);
    if (problem !== undefined) complain(problem, index);
  });
}

const LISTS: ReadonlySet<ValueShape> = new Set<ValueShape>(['numbers', 'sizes', 'words', 'names', 'devfns']);

/** What is wrong with a value; undefined when nothing is. */
type ValueCheck = (value: string, spec: PropertySpec, alone: boolean) => string | undefined;

const oneOf = (value: string, words: readonly string[], key: string): string | undefined => {
  if (words.includes(value)) return undefined;
  const near = closest(value, words);
  return `\`${key}\` does not know \`${value}\`. ${near === undefined ? `It takes ${listed(words)}.` : `Did you mean \`${near}\`?`}`;
};

const numberCheck: ValueCheck = (value, spec) => {
  if (spec.words?.includes(value)) return undefined;
  const number = parseInteger(value);
  if (number === undefined) return `\`${spec.key}\` takes a number, for example \`${spec.example}\`.`;
  const max = spec.max ?? (1n << 64n) - 1n;
  return number > max ? `\`${spec.key}\` is at most ${max}.` : undefined;
};

const anything: ValueCheck = () => undefined;

const VALUE_CHECKS: Readonly<Record<ValueShape, ValueCheck>> = {
  flag: (value, spec) => oneOf(value, ['yes', 'no'], spec.key),
  number: numberCheck, numbers: numberCheck, size: numberCheck,
  sizes: (value, spec) => {
    const bytes = parseInteger(value);
    return bytes === undefined || !isPowerOfTwo(bytes) ? `\`${spec.key}\` takes powers of two, for example \`${spec.example}\`.` : undefined;
  },
  word: (value, spec) => oneOf(value, spec.words ?? [], spec.key),
  words: (value, spec, alone) => {
    if (spec.alone?.includes(value)) return alone ? undefined : `\`${value}\` stands alone.`;
    return oneOf(value, [...(spec.words ?? []), ...(alone ? spec.alone ?? [] : [])], spec.key);
  },
  name: anything, names: anything, text: anything,
  'id-pair': (value, spec) => (parseIdPair(value) === undefined ? `\`${spec.key}\` takes two hexadecimal numbers of four digits, for example \`${spec.example}\`.` : undefined),
  class: (value) => {
    if (classCode(value) !== undefined) return undefined;
    const near = closest(value, Object.keys(CLASS_CODES));
    return `\`${value}\` is no class: write a known word or the 24-bit class code, for example \`0x030000\`.${near === undefined ? '' : ` Did you mean \`${near}\`?`}`;
  },
  devfns: (value, spec) => (parseDevfn(value) === undefined ? `\`${spec.key}\` takes device and function, for example \`${spec.example}\`.` : undefined),
};

// ------------------------------------------------------------------------------------------------ other words

/** A check that `property` of a node, when given, is one of `words`. */
function wordMustBeKnown<N extends AstNode>(property: keyof N & string, words: (node: N) => readonly string[], what: string): Check<N> {
  return (node, report) => {
    const word = node[property];
    if (typeof word === 'string') knownWord(node, word, words(node), what, report, { property });
  };
}

function knownWord(node: AstNode, word: string, words: readonly string[], what: string, report: Report, where: { property: string; index?: number }): void {
  if (words.includes(word)) return;
  const near = closest(word, words);
  report('language/unknown-word', node, `\`${word}\` is no ${what}. ${near === undefined ? `Known: ${listed(words)}.` : `Did you mean \`${near}\`?`}`, where);
}

export const functionTypesMustBeKnown = wordMustBeKnown<ast.PciFunction>('type', (node) => Object.keys(FUNCTION_TYPES[node.kind] ?? {}), 'type of such a function');
export const architecturesMustBeKnown = wordMustBeKnown<ast.Iommu>('architecture', () => Object.keys(ARCHITECTURES), 'IOMMU architecture');
export const vendorsMustBeKnown = wordMustBeKnown<ast.Cpu>('vendor', () => CPU_VENDORS, 'CPU vendor');
export const firmwareMustBeKnown = wordMustBeKnown<ast.Firmware>('kind', () => FIRMWARE_KINDS, 'kind of firmware description');
export const groupingsMustBeKnown = wordMustBeKnown<ast.Grouping>('algorithm', () => GROUPINGS, 'way of grouping');
export const ioasidModelsMustBeKnown = wordMustBeKnown<ast.IoasidChoice>('model', () => IOASID_MODELS, 'way to give out PASIDs');
export const mediatedKindsMustBeKnown = wordMustBeKnown<ast.MediatedDevice>('kind', () => MEDIATED_KINDS, 'kind of mediated device');
export const reservedTypesMustBeKnown = wordMustBeKnown<ast.ReservedRegion>('type', () => RESERVED_TYPES, 'type of reserved region');
export const memoryKindsMustBeKnown = wordMustBeKnown<ast.MemoryKind>('kind', () => MEMORY_KINDS, 'kind of memory');
export const domainTypesMustBeKnown = wordMustBeKnown<ast.Domain>('type', () => DOMAIN_TYPES, 'domain type');
export const permissionsMustBeKnown = wordMustBeKnown<ast.DomainMap>('permission', () => Object.keys(PERMISSIONS), 'permission');
export const barWordsMustBeKnown = wordMustBeKnown<ast.Bar | ast.Window>('prefetchable', () => ['prefetchable'], 'word of a BAR or window');

export function dmaWordsMustBeKnown(node: ast.Dma, report: Report): void {
  node.words.forEach((word, index) => knownWord(node, word, DMA_WORDS, 'word of a DMA request', report, { property: 'words', index }));
}

export function expectationsMustMakeSense(node: ast.Expectation, report: Report): void {
  if (node.kind === undefined) return;
  const follows = EXPECTATION_WORDS[node.kind] ?? (/^E[A-Z0-9]+$|^BUG$/.test(node.kind) ? 'nothing' : undefined);
  if (follows === undefined) {
    knownWord(node, node.kind, Object.keys(EXPECTATION_WORDS), 'expectation and no errno', report, { property: 'kind' });
    return;
  }
  const target = node.target?.ref;
  const number = node.number !== undefined || ast.isConstant(target);
  const given = node.number !== undefined || node.target !== undefined;
  const complain = (message: string): void => report('language/operand', node, message);
  if (follows === 'nothing' && given) complain(`Nothing follows \`expect ${node.kind}\`.`);
  if (follows === 'number' && !number) complain(`\`expect ${node.kind}\` needs a number.`);
  if (follows === 'maybe-number' && given && !number) complain(`After \`expect ${node.kind}\` comes a number, or nothing.`);
  if (follows === 'maybe-device' && (node.number !== undefined || (target !== undefined && !ast.isDevice(target)))) complain(`After \`expect ${node.kind}\` comes a device, or nothing.`);
}

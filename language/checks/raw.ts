/** Registers and words of memory that are written by hand. */
import { registerNamed, registersOf } from '../../server/simulator/hardware/register-map.js';
import * as ast from '../generated/ast.js';
import { ARCHITECTURES } from '../lowering/host.js';
import { amountOf } from '../names.js';
import { closest } from '../suggestions.js';
import { listed, type Report } from './check.js';

export function registersMustExist(node: ast.Register, report: Report): void {
  const word = node.$container.architecture;
  const architecture = ARCHITECTURES[word ?? ''];
  if (node.register === undefined || word === undefined || architecture === undefined) return;
  const known = registersOf(architecture);
  const spec = registerNamed(architecture, node.register);
  if (known.length === 0) report('language/unknown-word', node, `No registers of \`${word}\` can be written by hand.`, { property: 'register' });
  else if (spec === undefined) report('language/unknown-word', node, `\`${word}\` has no register \`${node.register}\` that decides over requests. ${registerHint(node.register, known.map(({ name }) => name))}`, { property: 'register' });
  else if ((amountOf(node.value) ?? 0n) >> BigInt(spec.bits) !== 0n) report('language/too-large', node, `\`${spec.name}\` has ${spec.bits} bits.`, { property: 'value' });
}

function registerHint(word: string, names: readonly string[]): string {
  const near = closest(word, names);
  return near === undefined ? `It has ${listed(names)}.` : `Did you mean \`${near}\`?`;
}

const WORD_BYTES = 8n;

export function wordsMustBeAligned(node: ast.Words, report: Report): void {
  const address = amountOf(node.address);
  if (address === undefined) return;
  if (address % WORD_BYTES !== 0n) report('language/property-value', node, 'Words of 64 bits stand at multiples of 8.', { property: 'address' });
  else if (address + WORD_BYTES * BigInt(node.values.length) > 2n ** 64n) report('language/too-large', node, 'The words go beyond the last address.', { property: 'address' });
}

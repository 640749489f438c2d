/** Numbers, ranges and sizes. */
import type { AstNode } from 'langium';
import { ADDRESS_MAX } from '../../server/simulator/memory/address.js';
import { versionNumber } from '../../server/simulator/kernel/profile.js';
import * as ast from '../generated/ast.js';
import { amountOf } from '../names.js';
import { printAddress } from '../numbers.js';
import { rangeOf } from '../lowering/context.js';
import type { Report } from './check.js';

/** Bytes of the whole address space: a size may be that much, an address may not. */
const WHOLE_SPACE = ADDRESS_MAX + 1n;
const PASID_MAX = 0xf_ffffn;
const PAGE = 4096n;

export function numbersMustFit64Bits(node: ast.Literal, report: Report): void {
  const limit = node.$containerProperty === 'size' ? WHOLE_SPACE : ADDRESS_MAX;
  if (node.value > limit) report('language/too-large', node, `${printAddress(node.value)} does not fit 64 bits.`);
}

export function operandNumbersMustFit64Bits(node: ast.NumberAtom, report: Report): void {
  if (node.value > WHOLE_SPACE) report('language/too-large', node, `${printAddress(node.value)} does not fit 64 bits.`);
}

export function expectedNumbersMustFit64Bits(node: ast.Expectation, report: Report): void {
  if (node.number !== undefined && node.number > ADDRESS_MAX) report('language/too-large', node, `${printAddress(node.number)} does not fit 64 bits.`, { property: 'number' });
}

export function rangesMustNotBeEmpty(node: ast.Range, report: Report): void {
  if (node.start === undefined) return;
  if (node.last === undefined && node.size === undefined) {
    report('language/empty-range', node, 'Where does the range end? Write `start .. last` or `start size bytes`.');
    return;
  }
  checkSpan(node, amountOf(node.start), amountOf(node.size), amountOf(node.last), report);
}

function checkSpan(node: AstNode, start: bigint | undefined, size: bigint | undefined, last: bigint | undefined, report: Report): void {
  if (start === undefined || start > ADDRESS_MAX) return;
  if (size === 0n) report('language/empty-range', node, 'The range is empty: its size is 0.');
  else if (size !== undefined && start + size > WHOLE_SPACE) report('language/too-large', node, `The range ends at ${printAddress(start + size - 1n)}, which does not fit 64 bits.`);
  else if (last !== undefined && last < start) report('language/empty-range', node, `The range ends before it starts: ${printAddress(last)} is less than ${printAddress(start)}.`);
}

export function mappingsMustNotBeEmpty(node: ast.DomainMap, report: Report): void {
  checkSpan(node, amountOf(node.iova), amountOf(node.size), undefined, report);
}

export function dmaMustMoveSomething(node: ast.Dma, report: Report): void {
  checkSpan(node, amountOf(node.address), amountOf(node.size), undefined, report);
  pasidsMustFit20Bits(node, report);
}

export function pasidsMustFit20Bits(node: ast.Dma | ast.DomainAttach, report: Report): void {
  const pasid = amountOf(node.pasid);
  if (pasid !== undefined && pasid > PASID_MAX) report('language/too-large', node, 'A PASID has at most 20 bits.', { property: 'pasid' });
}

export function memoriesMustHaveASize(node: ast.OwnerMemory, report: Report): void {
  if (amountOf(node.size) === 0n) report('language/empty-range', node, 'The memory is empty: its size is 0.', { property: 'size' });
}

export function backingMustBePages(node: ast.MemoryBacking, report: Report): void {
  const size = amountOf(node.size);
  if (size !== undefined && (size < PAGE || !isPowerOfTwo(size))) report('language/property-value', node, 'Memory is backed by pieces of a power of two, at least 4KiB.');
}

export const isPowerOfTwo = (value: bigint): boolean => value > 0n && (value & (value - 1n)) === 0n;

/** Of all `memory` statements of one host together. */
export function memoryRangesMustNotOverlap(host: ast.Host, report: Report): void {
  const ranges = host.items.filter(ast.isHostMemory).flatMap((memory) => memory.ranges).flatMap((node) => {
    const range = rangeOf(node);
    return range === undefined ? [] : [{ node, range }];
  });
  ranges.sort((a, b) => (a.range.start < b.range.start ? -1 : 1));
  ranges.forEach(({ node, range }, i) => {
    const before = ranges[i - 1];
    if (before !== undefined && range.start <= before.range.last) {
      report('language/overlapping-memory', node, `The range overlaps the one from ${printAddress(before.range.start)} to ${printAddress(before.range.last)}.`);
    }
  });
}

export function constantsMustEndSomewhere(node: ast.Constant, report: Report): void {
  if (node.value === undefined || amountOf(node.value) !== undefined) return;
  const seen = new Set<ast.Constant>();
  let at: ast.Constant | undefined = node;
  while (at !== undefined && !seen.has(at)) {
    seen.add(at);
    at = ast.isConstantUse(at.value) ? at.value.constant?.ref : undefined;
  }
  if (at === node) report('language/circular-constant', node, `\`${node.name}\` is defined by itself.`, { property: 'value' });
}

export function kernelVersionsMustBeginWithTwoNumbers(node: ast.Kernel | ast.KernelChoice, report: Report): void {
  if (node.version !== undefined && versionNumber(node.version) === null) {
    report('language/kernel-version', node, `\`${node.version}\` is no kernel version: write it as \`uname -r\` does, for example \`6.12\`.`, { property: 'version' });
  }
}

export function requesterIdsMustHave16Bits(node: ast.IdMap, report: Report): void {
  const last = amountOf(node.range?.size === undefined ? node.range?.last : undefined) ?? amountOf(node.range?.start);
  if (last !== undefined && last > 0xffffn) report('language/too-large', node, 'A requester ID has 16 bits: at most 0xffff.', { property: 'range' });
}

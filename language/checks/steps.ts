/** Steps against the verb table. */
import { AstUtils, type AstNode } from 'langium';
import * as ast from '../generated/ast.js';
import { verbNamed } from '../../server/simulator/scenario/verbs.js';
import { amountOf } from '../names.js';
import { article, readStep, type OperandReading } from '../steps.js';
import type { Report } from './check.js';

export function stepsMustFitTheirVerb(step: ast.Step, report: Report): void {
  const { operands, problems } = readStep(step);
  for (const problem of problems) report('language/operand', problem.node, problem.message, problem.node === step ? { property: 'verb' } : {});
  for (const operand of operands) operandMustBeOfItsKind(step, operand, report);
}

function operandMustBeOfItsKind(step: ast.Step, { spec, atom }: OperandReading, report: Report): void {
  if (ast.isHandle(atom)) return;
  const found = kindOf(atom);
  if (found === undefined) return;
  if (!accepts(spec.kind, found)) {
    report('language/operand', atom, `\`${step.verb}\` takes ${article(spec.kind)} here (${spec.doc}); \`${atom.$cstNode?.text ?? ''}\` is ${article(found)}.`);
  } else if (ast.isNameAtom(atom)) {
    handlesMustBeOpen(step, atom, report);
  }
}

/** Class of handle, or what else an operand is; undefined when its name is unknown, which linking has reported. */
function kindOf(atom: Exclude<OperandReading['atom'], ast.Handle>): string | undefined {
  if (ast.isNumberAtom(atom)) return 'number';
  if (ast.isTextAtom(atom)) return 'text';
  return atom.target === undefined || atom.target.ref === undefined ? (atom.target?.error === undefined ? 'word' : undefined) : kindOfNamed(atom.target.ref);
}

function kindOfNamed(node: AstNode): string {
  if (ast.isHandle(node)) return classOfHandle(node);
  if (ast.isDevice(node)) return 'device';
  if (ast.isOwnerMemory(node)) return 'memory';
  if (ast.isDomain(node)) return 'domain';
  if (ast.isConstant(node)) return 'number';
  if (ast.isPasidSet(node)) return 'pasid-set';
  return ast.isHost(node) ? 'host' : ast.isOwner(node) ? node.kind : ast.isIommu(node) ? 'IOMMU unit' : 'group claim';
}

/** "container", "ioas" ...: what the verb that introduced it makes. */
export function classOfHandle(handle: ast.Handle): string {
  const kind = verbNamed.get(handle.$container.verb)?.operands[0]?.kind ?? '';
  return kind.replace(/^new /, '');
}

const HANDLE_CLASSES = new Set(['event-queue', 'hw-queue', 'mock-device', 'test-access', 'memfd', 'mapping', 'container', 'group', 'device-fd', 'cdev', 'iommufd', 'ioas', 'hwpt', 'access', 'ioasid-file', 'fault-queue', 'viommu', 'vdevice', 'kernel-domain', 'kvm-device']);

function accepts(wanted: string, found: string): boolean {
  if (wanted === 'size') return found === 'number';
  if (wanted === 'any handle') return HANDLE_CLASSES.has(found);
  if (wanted === 'word' || wanted === 'text') return found === 'word' || found === 'text' || found === 'number';
  return wanted.split('|').includes(found);
}

function handlesMustBeOpen(step: ast.Step, atom: ast.NameAtom, report: Report): void {
  const target = atom.target.ref;
  if (!ast.isHandle(target)) return;
  const position = (node: AstNode): number => AstUtils.getContainerOfType(node, ast.isStep)?.$containerIndex ?? 0;
  if (position(target) >= position(step)) {
    report('language/not-open-yet', atom, `\`${target.name}\` is introduced only later, in line ${(target.$cstNode?.range.start.line ?? 0) + 1}.`);
  }
}

// ------------------------------------------------------------------------------------------------ sets of PASIDs

/** What may be said of a set, and the most that it may be. */
const SET_DETAILS: Readonly<Record<string, bigint>> = { quota: 0xffff_ffffn, first: 0xffff_ffffn };

export function detailsOfSetsMustBeKnown(node: ast.PasidSet, report: Report): void {
  const seen = new Set<string>();
  for (const detail of node.details?.entries ?? []) {
    const most = SET_DETAILS[detail.key];
    if (most === undefined) report('language/unknown-property', detail, `A set of PASIDs has no property \`${detail.key}\`. It has \`quota\` and \`first\`.`, { property: 'key' });
    else if (detail.values.length !== 1) report('language/property-value', detail, `\`${detail.key}\` takes one number.`);
    else if ((amountOf(detail.values[0]) ?? 0n) > most) report('language/property-value', detail, `\`${detail.key}\` is at most ${most}.`);
    if (seen.has(detail.key)) report('language/duplicate-property', detail, `\`${detail.key}\` is given twice; the last one counts.`, { property: 'key' });
    seen.add(detail.key);
  }
}

/** Only a few statements have something to say in braces, and no call has. */
export function stepsHaveNoDetails(step: ast.Step, report: Report): void {
  if (step.details !== undefined) report('language/operand', step.details, 'A call takes its operands in its line, and nothing in braces.');
}

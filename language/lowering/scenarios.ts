/** Scenarios: their memories, steps and DMA, in order. */
import type { ActionDescription, Operand, ScenarioDescription, StepDescription, SubjectId } from '../../server/simulator/description.js';
import * as ast from '../generated/ast.js';
import { amountOf, processOf } from '../names.js';
import { readStep, type OperandReading } from '../steps.js';
import { ioasidModel } from './host.js';
import { address, textOf, type Context } from './context.js';
import { lowerDma, lowerExpectation, lowerMemories, nameMemories } from './owners.js';

export function lowerScenario(context: Context, node: ast.Scenario): ScenarioDescription[] {
  const host = context.idOf(node.host?.ref);
  if (host === undefined || node.title === undefined) return [];
  const id = context.name(node, `scenario:${node.title}`);
  nameMemories(context, id, node.items);
  const ioasid = ioasidModel(node.clauses);
  const actions = node.items.filter((item) => !ast.isOwnerMemory(item));
  return [{
    id, name: node.title, host, kernelVersion: node.clauses.find(ast.isKernelChoice)?.version, commandLine: node.clauses.find(ast.isCommandLine)?.text,
    ...(ioasid === undefined ? {} : { ioasid }),
    memory: lowerMemories(context, node.items),
    actions: actions.flatMap((action, index): ActionDescription[] =>
      ast.isStep(action) ? lowerStep(context, action, `${id}/${index + 1}`) : lowerDma(context, action as ast.Dma, `${id}/${index + 1}`, host)),
  }];
}

/** Nothing when an operand is missing or means nothing: a step is run whole or not at all. What is too much is left out. */
function lowerStep(context: Context, node: ast.Step, id: SubjectId): StepDescription[] {
  const { spec, operands, flags, problems } = readStep(node);
  if (spec === undefined || problems.some((problem) => problem.fatal)) return [];
  const values: Record<string, Operand> = {};
  for (const operand of operands) {
    const value = lowerOperand(context, operand);
    if (value === undefined) return [];
    values[operand.spec.role] = value;
    if (operand.spec.kind === 'memory' && ast.isNameAtom(operand.atom)) values[`${operand.spec.role}Offset`] = { kind: 'number', value: offsetOf(operand.atom) };
  }
  return [{
    kind: 'step', id: context.book.add(id, node), text: textOf(node), verb: node.verb, process: processOf(node), operands: values,
    flags: flags.map((flag) => flag.word), expect: lowerExpectation(context, node.expect),
  }];
}

const offsetOf = (atom: ast.NameAtom): bigint => (atom.offset === undefined ? 0n : (amountOf(atom.offset) ?? 0n));

function lowerOperand(context: Context, { spec, atom }: OperandReading): Operand | undefined {
  if (ast.isHandle(atom)) return { kind: 'handle', name: atom.name };
  if (ast.isTextAtom(atom)) return { kind: 'word', word: atom.text };
  if (ast.isNumberAtom(atom)) return isWordKind(spec.kind) ? { kind: 'word', word: atom.$cstNode?.text ?? '' } : numberOperand(atom.value);
  return isWordKind(spec.kind) ? { kind: 'word', word: atom.target?.$refText ?? '' } : namedOperand(context, atom);
}

const isWordKind = (kind: string): boolean => kind === 'word' || kind === 'text';

function numberOperand(value: bigint): Operand | undefined {
  return value < 1n << 64n ? { kind: 'number', value } : undefined;
}

function namedOperand(context: Context, atom: ast.NameAtom): Operand | undefined {
  const target = atom.target?.ref;
  if (target === undefined) return undefined;
  if (ast.isHandle(target)) return { kind: 'handle', name: target.name };
  if (ast.isConstant(target)) {
    const value = address(target.value);
    return value === undefined ? undefined : { kind: 'number', value: value + offsetOf(atom) };
  }
  const subject = context.deviceId(atom.target);
  return subject === undefined ? undefined : { kind: 'subject', subject, name: atom.target.$refText };
}

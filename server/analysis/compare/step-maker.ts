/** Writes the steps that stand for one step: operands, text in the language, and an identity each. */
import type { Operand, StepDescription, SubjectId } from '../../simulator/description.js';
import { hex } from '../../simulator/memory/address.js';
import { sizeWord } from '../../simulator/memory/sizes.js';
import { verbNamed, type OperandSpec } from '../../simulator/scenario/verbs.js';

/** Who makes a step that names nobody. */
const NOBODY = 'main';

export class StepMaker {
  private made = 0;

  constructor(readonly original: StepDescription) {}

  /** A call in the same program. */
  step(verb: string, operands: Readonly<Record<string, Operand>>, flags: readonly string[] = []): StepDescription {
    const { id, process } = this.original;
    return { kind: 'step', id: `${id}#${this.made++}`, text: stepText(process, verb, operands, flags), verb, process, operands, flags };
  }

  /** The same call with other operands. */
  again(changed: Readonly<Record<string, Operand>>): StepDescription {
    return this.step(this.original.verb, { ...this.original.operands, ...changed }, this.original.flags);
  }

  /** Name of a handle that an operand introduces or means, or of the device that stands there. */
  name(role: string): string {
    const operand = this.original.operands[role];
    return operand?.kind === 'handle' || operand?.kind === 'subject' ? operand.name : operand?.kind === 'word' ? operand.word : '';
  }

  /** The described thing that an operand names. */
  subject(role: string): (Operand & { readonly kind: 'subject' }) | undefined {
    const operand = this.original.operands[role];
    return operand?.kind === 'subject' ? operand : undefined;
  }
}

export const handle = (name: string): Operand => ({ kind: 'handle', name });
export const word = (text: string): Operand => ({ kind: 'word', word: text });
/** A device's name as part of a handle's. */
export const inHandle = (name: string): string => name.replace(/\W/g, '_');
export const subjectOf = (operand: Operand | undefined): SubjectId | undefined => (operand?.kind === 'subject' ? operand.subject : undefined);

function stepText(process: string, verb: string, operands: Readonly<Record<string, Operand>>, flags: readonly string[]): string {
  const written = (verbNamed.get(verb)?.operands ?? []).flatMap((spec) => {
    const operand = operands[spec.role];
    if (operand === undefined) return [];
    const offset = spec.kind === 'memory' && operands.memoryOffset?.kind === 'number' ? ` + ${hex(operands.memoryOffset.value)}` : '';
    return [`${spec.key === undefined ? '' : `${spec.key} `}${operandText(operand, spec)}${offset}`];
  });
  return [...(process === NOBODY ? [] : ['by', process]), verb, ...written, ...flags].join(' ');
}

function operandText(operand: Operand, { kind }: OperandSpec): string {
  switch (operand.kind) {
    case 'number': return kind === 'size' ? sizeWord(operand.value) : hex(operand.value);
    case 'word': return operand.word;
    default: return operand.name;
  }
}

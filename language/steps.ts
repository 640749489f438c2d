/**
 * Reads a step by the verb table: which of its words is which operand, which are flags, and what is wrong. Scoping, checks,
 * lowering and completion all go by this one reading.
 */
import type { Atom, Handle, Step } from './generated/ast.js';
import { isKeyAtom, isNameAtom } from './generated/ast.js';
import { closest } from './suggestions.js';
import { verbNamed, type OperandSpec, type VerbSpec } from '../server/simulator/scenario/verbs.js';

export interface OperandReading {
  readonly spec: OperandSpec;
  readonly atom: Exclude<Atom, { $type: 'KeyAtom' }> | Handle;
}

export interface StepProblem {
  readonly message: string;
  readonly node: Atom | Step;
  /** An operand is missing: the step cannot be made. Otherwise something is too much, and the step could do without. */
  readonly fatal: boolean;
}

export interface StepReading {
  readonly spec: VerbSpec | undefined;
  readonly operands: readonly OperandReading[];
  readonly flags: readonly { readonly word: string; readonly atom: Atom }[];
  readonly problems: readonly StepProblem[];
}

const readings = new WeakMap<Step, StepReading>();

export function readStep(step: Step): StepReading {
  const known = readings.get(step);
  if (known !== undefined) return known;
  const spec = verbNamed.get(step.verb);
  const reading = spec === undefined ? { spec, operands: [], flags: [], problems: [] } : new Reader(step, spec).read();
  readings.set(step, reading);
  return reading;
}

/** The operand that `atom` is in its step; undefined for a flag and for what does not belong. */
export const operandOf = (step: Step, atom: Atom): OperandReading | undefined => readStep(step).operands.find((operand) => operand.atom === atom);

/** The bare word that an atom is, when it could be a flag. */
function bareWord(atom: Atom): string | undefined {
  if (isKeyAtom(atom)) return atom.word;
  return isNameAtom(atom) && atom.offset === undefined ? atom.target?.$refText : undefined;
}

class Reader {
  private readonly operands: OperandReading[] = [];
  private readonly flags: { word: string; atom: Atom }[] = [];
  private readonly problems: StepProblem[] = [];
  private readonly positional: OperandSpec[];

  constructor(private readonly step: Step, private readonly spec: VerbSpec) {
    this.positional = spec.operands.filter((operand) => operand.key === undefined && !operand.kind.startsWith('new '));
  }

  read(): StepReading {
    this.readHandle();
    const atoms = this.step.atoms;
    for (let i = 0; i < atoms.length; ) {
      if (this.isStrayLine(atoms, i)) {
        this.problems.push({ message: unknownStep(bareWord(atoms[i]!)!), node: atoms[i]!, fatal: false });
        break;
      }
      i += this.readAt(atoms, i);
    }
    this.reportMissing();
    return { spec: this.spec, operands: this.operands, flags: this.flags, problems: this.problems };
  }

  private readHandle(): void {
    const introduces = this.spec.operands.find((operand) => operand.kind.startsWith('new '));
    if (introduces !== undefined && this.step.handle?.name !== undefined) this.operands.push({ spec: introduces, atom: this.step.handle });
  }

  /** A word that this step has no use for begins a line: somebody misspelt the next step. Newlines mean nothing else in the language. */
  private isStrayLine(atoms: readonly Atom[], i: number): boolean {
    const atom = atoms[i]!;
    if (isKeyAtom(atom) || this.positional.length > 0) return false;
    const word = bareWord(atom);
    if (word === undefined || this.spec.flags.includes(word)) return false;
    const before = i === 0 ? this.step.handle?.$cstNode?.range.end.line ?? this.step.$cstNode?.range.start.line : atoms[i - 1]!.$cstNode?.range.end.line;
    return atom.$cstNode !== undefined && before !== undefined && atom.$cstNode.range.start.line > before;
  }

  /** Reads the operand or flag at `i`; how many atoms it took. */
  private readAt(atoms: readonly Atom[], i: number): number {
    const atom = atoms[i]!;
    const next = atoms[i + 1];
    const keyed = isKeyAtom(atom) ? this.spec.operands.find((operand) => operand.key === atom.word) : undefined;
    if (keyed !== undefined) {
      if (next === undefined || isKeyAtom(next)) {
        this.problems.push({ message: `\`${keyed.key}\` needs a value: ${keyed.doc}.`, node: atom, fatal: true });
        return 1;
      }
      this.assign(keyed, next, atom);
      return 2;
    }
    if (!isKeyAtom(atom) && this.positional.length > 0) this.assign(this.positional.shift()!, atom, atom);
    else this.readFlag(atom);
    return 1;
  }

  private assign(spec: OperandSpec, atom: OperandReading['atom'] & Atom, at: Atom): void {
    if (this.operands.some((operand) => operand.spec === spec)) this.problems.push({ message: `\`${spec.key ?? spec.role}\` is given twice.`, node: at, fatal: false });
    else this.operands.push({ spec, atom });
  }

  private readFlag(atom: Atom): void {
    const word = bareWord(atom);
    if (word !== undefined && this.spec.flags.includes(word)) this.flags.push({ word, atom });
    else this.problems.push({ message: unexpected(this.spec, word ?? atom.$cstNode?.text ?? 'this'), node: atom, fatal: false });
  }

  private reportMissing(): void {
    for (const spec of this.spec.operands) {
      if (spec.optional || this.operands.some((operand) => operand.spec === spec)) continue;
      if (this.problems.some((problem) => problem.message.startsWith(`\`${spec.key}\``))) continue;
      this.problems.push({ message: `\`${this.spec.verb}\` needs ${describeOperand(spec)}. For example: \`${this.spec.example}\`.`, node: this.step, fatal: true });
    }
  }
}

/** "`size` (bytes)", or "an ioas (copy from)" for a positional operand. */
export function describeOperand(spec: OperandSpec): string {
  return spec.key === undefined ? `${article(spec.kind)} (${spec.doc})` : `\`${spec.key}\` (${spec.doc})`;
}

/** A kind of operand in words. */
export function article(kind: string): string {
  const words = kind.replace(/^new /, 'name for a new ').replaceAll('|', ' or ');
  return `${/^[aeiou]/.test(words) ? 'an' : 'a'} ${words}`;
}

/** Whoever knows the call's name may write all of it: `ioas-map` for `map`. */
function unknownStep(word: string): string {
  const verbs = [...verbNamed.keys()];
  const meant = closest(word, verbs) ?? verbs.find((verb) => word.endsWith(`-${verb}`));
  return `There is no step \`${word}\`${meant === undefined ? '.' : `. Did you mean \`${meant}\`?`}`;
}

function unexpected(spec: VerbSpec, word: string): string {
  const keys = spec.operands.flatMap((operand) => operand.key ?? []);
  const takes = [...keys, ...spec.flags].map((known) => `\`${known}\``).join(', ');
  return `\`${spec.verb}\` does not take \`${word}\`${takes === '' ? '' : `; after its operands it takes ${takes}`}.`;
}

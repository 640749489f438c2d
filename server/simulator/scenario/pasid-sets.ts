/** `pasid-set` statements: sets that exist from the start of every run on their host (IOX-02). */
import type { Operand, PasidSetDescription, StepDescription, SubjectId } from '../description.js';
import type { Machine } from './machine.js';
import type { Handle } from './processes.js';

/** Who holds the sets that no address space owns. */
const HOLDER = 'host';

const holderOf = ({ owner }: PasidSetDescription): string => owner ?? HOLDER;

/** The calls that make the sets; none where the kernel knows no sets. */
export function setUpPasidSets(machine: Machine): readonly { readonly set: SubjectId; readonly step: StepDescription }[] {
  return machine.ioasids.calls.allocateSet === undefined ? [] : machine.pasidSets.map((set) => ({ set: set.id, step: allocation(set) }));
}

function allocation(set: PasidSetDescription): StepDescription {
  const type = set.owner === undefined ? 'NULL' : 'MM';
  const operands: Record<string, Operand> = {
    handle: { kind: 'handle', name: handleName(set.id) }, type: { kind: 'word', word: type }, quota: { kind: 'number', value: set.quota },
  };
  return { kind: 'step', id: `${set.id}#alloc`, text: `ioasid-set-alloc ${set.name} ${type} quota ${set.quota}`, verb: 'ioasid-set-alloc', process: holderOf(set), operands, flags: [] };
}

/** What its holder has of a described set; undefined when it could not be made. */
export function describedSet(machine: Machine, subject: SubjectId): Handle | undefined {
  const set = machine.pasidSet(subject);
  return set === undefined ? undefined : machine.programs.named(holderOf(set)).handles.get(handleName(set.id));
}

/** No name that a step could give. */
const handleName = (id: SubjectId): string => `pasid-set ${id}`;

/** What of a partition hangs on facts that the description does not know. */
import type { FunctionDescription, SubjectId } from '../description.js';
import { isBridge } from '../fabric/function-type.js';
import type { Topology } from '../fabric/topology.js';
import type { HostReport } from '../report.js';
import { placeText, type AcsQuestions } from './acs.js';

/** How an unknown about a function is decided for the time being. */
export type UnknownReading = (fn: FunctionDescription) => boolean;

/**
 * A port of which nobody knows is taken as isolating, as most ports of machines with an IOMMU do; functions of one device are taken as
 * not isolating, as most do not. Of 85 recorded hosts, most of them without capabilities, this reading gives the real partition for 31,
 * "nothing isolates" for 19 and "everything isolates" for 26. What depends on it is marked uncertain in any case.
 */
export const UNKNOWN_READING: UnknownReading = isBridge;

/** Something unknown can matter to somebody's group: it leads somewhere, or shares its slot. */
export const hasOpenQuestions = (topology: Topology, acs: AcsQuestions): boolean =>
  topology.functions.some((fn) => acs.hasUnknown(fn) && acs.of(fn).isolates === 'unknown' && (topology.children(fn).length > 0 || topology.isMultifunction(fn)));

interface Groups {
  readonly groups: readonly (readonly SubjectId[])[];
  readonly groupOf: ReadonlyMap<SubjectId, number>;
}

/**
 * Numbers of the groups that have other members under another reading. Isolation only ever splits groups, so a group that is the same when
 * nothing unknown isolates and when all of it does is the same for everything between.
 */
export function uncertainGroups(groups: readonly (readonly SubjectId[])[], nothingIsolates: Groups, everythingIsolates: Groups): Set<number> {
  const uncertain = new Set<number>();
  groups.forEach((members, number) => {
    if (!isGroupOf(nothingIsolates, members) || !isGroupOf(everythingIsolates, members)) uncertain.add(number);
  });
  return uncertain;
}

/** The members, and nobody else, form a group there. */
function isGroupOf({ groups, groupOf }: Groups, members: readonly SubjectId[]): boolean {
  const number = groupOf.get(members[0]!);
  return number !== undefined && groups[number]?.length === members.length && members.every((member) => groupOf.get(member) === number);
}

/** One entry for each unknown that decides over members of uncertain groups: those below it and those beside it. */
export function unknownFacts(topology: Topology, acs: AcsQuestions, groups: readonly { readonly members: readonly SubjectId[]; readonly uncertain: boolean }[]): HostReport['unknowns'] {
  const affects = new Map<FunctionDescription, Set<SubjectId>>();
  const note = (unknown: FunctionDescription, member: SubjectId): void => {
    if (acs.of(unknown).isolates !== 'unknown') return;
    const known = affects.get(unknown);
    if (known) known.add(member);
    else affects.set(unknown, new Set([member]));
  };
  for (const { members, uncertain } of groups) {
    if (!uncertain) continue;
    for (const member of members) {
      const fn = topology.byId(member);
      if (fn === undefined) continue;
      if (topology.children(fn).length > 0) note(fn, member);
      noteSlot(topology, fn, member, note);
      for (const port of topology.ancestors(topology.realDmaDevice(fn))) {
        note(port, member);
        noteSlot(topology, port, member, note);
      }
    }
  }
  return [...affects].sort(([a], [b]) => topology.order(a) - topology.order(b)).map(([fn, devices]) => ({ subject: fn.id, text: unknownText(fn), affects: [...devices] }));
}

function noteSlot(topology: Topology, fn: FunctionDescription, member: SubjectId, note: (unknown: FunctionDescription, member: SubjectId) => void): void {
  if (!topology.isMultifunction(fn)) return;
  for (const sibling of topology.slot(fn)) if (topology.isMultifunction(sibling)) note(sibling, member);
}

const unknownText = (fn: FunctionDescription): string =>
  `nobody knows whether ${placeText(fn)} isolates: ${fn.type === 'unknown' ? 'its type was not recorded' : 'its ACS capability was not recorded'}. It is taken as ${UNKNOWN_READING(fn) ? 'isolating, as most ports do' : 'not isolating, as most devices do not'}`;

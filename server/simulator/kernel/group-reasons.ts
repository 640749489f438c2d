/** Why a function is in its group, in words: each a fact about one port, bridge or sibling. */
import type { FunctionDescription, FunctionType } from '../description.js';
import type { AliasVisit } from '../fabric/aliases.js';
import { requesterIdText } from '../fabric/pci-address.js';
import type { GroupReason } from '../report.js';
import { placeText, type AcsVerdict } from './acs.js';

/** How an unknown was read. */
const taken = (isolates: AcsVerdict['isolates'], reading: string): string => (isolates === 'unknown' ? ` (taken as ${reading})` : '');

/** A bridge on the way that keeps what is below it apart. */
export const portIsolates = (port: FunctionDescription, { isolates, fact, rules }: AcsVerdict): GroupReason =>
  ({ text: `${placeText(port)} ${fact}${taken(isolates, 'isolating')}`, rules: ['GRP-04', ...rules], subject: port.id });

const RULE_BY_PORT: Readonly<Partial<Record<FunctionType, string>>> = { 'upstream-port': 'GRP-16', 'downstream-port': 'GRP-14' };

/** Everything below `cause` joins its group (GRP-12, GRP-14, GRP-16). */
export const portDoesNotIsolate = (cause: FunctionDescription, { isolates, fact, rules }: AcsVerdict): GroupReason => ({
  text: `${placeText(cause)} ${fact}${taken(isolates, 'not isolating')}: everything below joins its group`,
  rules: ['GRP-04', RULE_BY_PORT[cause.type] ?? 'GRP-12', ...rules], subject: cause.id,
});

/** Requests do not arrive under the function's own requester ID. */
export function arrivesAs(fn: FunctionDescription, { fn: other, requesterId, rule }: AliasVisit): GroupReason {
  const text = rule === 'ALI-02'
    ? `its requests arrive as those of the VMD endpoint ${placeText(other)}`
    : `requests of ${placeText(fn)} pass ${placeText(other)} and arrive with requester ID ${requesterIdText(requesterId)}`;
  return { text, rules: [rule, 'GRP-03'], subject: other.id };
}

const FACT_BY_VISIT: Readonly<Partial<Record<AliasVisit['rule'], string>>> = { 'ALI-02': 'GRP-19', 'ALI-08': 'GRP-10' };

/** GRP-10, GRP-11, GRP-19: and the owner of that ID is in a group already. */
export function sharesRequesterId(fn: FunctionDescription, visit: AliasVisit): GroupReason {
  const fact = FACT_BY_VISIT[visit.rule] ?? 'GRP-11';
  return { text: `${arrivesAs(fn, visit).text}: it joins its group`, rules: [visit.rule, 'GRP-02', fact], subject: visit.fn.id };
}

/** GRP-13, GRP-15, GRP-17: two functions of one slot, neither of which isolates. */
export const slotSibling = (fn: FunctionDescription, verdict: AcsVerdict, sibling: FunctionDescription, siblingVerdict: AcsVerdict): GroupReason => ({
  text: `${placeText(fn)} ${verdict.fact}${taken(verdict.isolates, 'not isolating')}, and its sibling ${placeText(sibling)} ${siblingVerdict.fact}: functions of one slot that do not isolate share a group`,
  rules: ['GRP-06', ...verdict.rules], subject: sibling.id,
});

/** GRP-20: one is known to use the requester ID of the other. */
export const quirkAlias = (fn: FunctionDescription, other: FunctionDescription): GroupReason =>
  ({ text: `${placeText(fn)} and ${placeText(other)} are known to use each other's requester ID: they share a group`, rules: ['ALI-14', 'GRP-05', 'GRP-20'], subject: other.id });

export const OWN_GROUP: GroupReason = { text: 'nothing that was there before it shares its requester ID or its way to its peers: it starts a new group', rules: ['GRP-07'] };

// ------------------------------------------------------------------------------------------------ the rework of 2025

/** GR5-04. */
export const insideOpenGroup = (above: FunctionDescription, blamed: FunctionDescription): GroupReason =>
  ({ text: `${placeText(above)} above it is in a group that ${placeText(blamed)} leaves open: everything below joins`, rules: ['GR5-04'], subject: blamed.id });

/** GR5-03, GR5-05: the bus below `cause` and the bridge above it are one. */
export const behindOpenBridge = (cause: FunctionDescription, fact: string): GroupReason =>
  ({ text: `${placeText(cause)} ${fact}: the bridge above and everything below share a group`, rules: ['GR5-03', 'GR5-05'], subject: cause.id });

/** GR5-03, GR5-05, GR5-07: everybody on the bus is one, the bridge above stays out. */
export const sharesOpenBus = (cause: FunctionDescription, fact: string): GroupReason =>
  ({ text: `${placeText(cause)} ${fact}: everybody on its bus and below shares a group`, rules: ['GR5-03', 'GR5-05'], subject: cause.id });

/** GR5-06. */
export const slotNotTrusted = (because: FunctionDescription, fact: string): GroupReason =>
  ({ text: `${placeText(because)} ${fact}: the functions of its slot share a group`, rules: ['GR5-06'], subject: because.id });

/** GR5-03. */
export const isolatedBus = (above: FunctionDescription): GroupReason =>
  ({ text: `the bus below ${placeText(above)} isolates`, rules: ['GR5-02', 'GR5-03'], subject: above.id });

export const GROUP_PER_DEVICE: GroupReason = { text: 'a device that is not PCI gets a group of its own', rules: ['GRP-30', 'GRD-01'] };

/** GRD-02 .. GRD-11: the driver's own callback finds the group. */
export const sharesByDriver = (what: string, rules: readonly string[]): GroupReason => ({ text: `it shares ${what} with what was there before it: it joins its group`, rules });

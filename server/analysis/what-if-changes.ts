/** Changes of a host that may put two functions into different groups. None of them is tried here. */
import type { Edit } from '../diagnostics/rule.js';
import { addressText, kernelStatement } from '../diagnostics/facts.js';
import type { FunctionDescription, FunctionType, HostDescription, KernelDescription, SubjectId } from '../simulator/description.js';
import type { AcsRegisters } from '../simulator/fabric/acs.js';
import type { Topology } from '../simulator/fabric/topology.js';
import { quirksOfVendor, REQUIRED_ACS } from '../simulator/kernel/acs-quirks.js';
import { acsText } from '../simulator/kernel/acs.js';
import { profileFor } from '../simulator/kernel/profile.js';
import { listsId } from '../simulator/kernel/quirk-ids.js';

export interface Change {
  readonly title: string;
  /** What is asked of a person, the easiest first; changes are listed in this order. */
  readonly effort: Effort;
  readonly edits: readonly Edit[];
  apply(host: HostDescription): HostDescription;
}

export type Effort =
  | 'setting' | 'kernel' | 'move'
  /** Nothing has to change when a fact that the file does not know is favourable. */
  | 'fact'
  | 'hardware' | 'override';
export const EFFORTS: readonly Effort[] = ['setting', 'kernel', 'move', 'fact', 'hardware', 'override'];

const nameOf = (fn: FunctionDescription): string => `${fn.name} (${addressText(fn.address)})`;

const withFunction = (host: HostDescription, id: SubjectId, change: Partial<FunctionDescription>): HostDescription =>
  ({ ...host, functions: host.functions.map((fn) => (fn.id === id ? { ...fn, ...change } : fn)) });

// ------------------------------------------------------------------------------------------------ ACS

/** Types whose ACS registers anybody asks; whether a function of the others is one of several decides (ACS-04, ACS-05). */
const PORTS: ReadonlySet<FunctionType> = new Set(['root-port', 'downstream-port']);
const BESIDE_OTHERS: ReadonlySet<FunctionType> = new Set(['endpoint', 'legacy-endpoint', 'upstream-port', 'integrated-endpoint', 'unknown']);

/** Functions that could isolate and do not, whatever the kernel was told to believe of them. */
export function weakFunctions(topology: Topology, acs: AcsRegisters, functions: Iterable<FunctionDescription>): FunctionDescription[] {
  return [...functions].filter((fn) => {
    if (fn.virtualFunction !== undefined || !(PORTS.has(fn.type) || (BESIDE_OTHERS.has(fn.type) && topology.isMultifunction(fn)))) return false;
    const register = acs.of(fn);
    return register === null || (REQUIRED_ACS & register.capability & ~register.control) !== 0;
  });
}

const REQUIRED_TEXT = acsText(REQUIRED_ACS);

/** Makes one function isolate: by its control register where it has a capability, else by having one. */
export function isolating(fn: FunctionDescription): Change {
  const { acs } = fn;
  if (acs === 'none' || acs === 'unknown') {
    const isKnown = acs === 'none' && fn.type !== 'unknown';
    return {
      title: isKnown ? `Give ${nameOf(fn)} ACS ${REQUIRED_TEXT}: other hardware, or firmware that shows the capability` : `If ${nameOf(fn)} has ACS ${REQUIRED_TEXT}, which the file does not know (lspci -vvv as root tells)`,
      effort: isKnown ? 'hardware' : 'fact',
      edits: [{ kind: 'set-property', subject: fn.id, property: 'acs', text: `acs ${REQUIRED_TEXT}` }],
      apply: (host) => withFunction(host, fn.id, { acs: { capability: REQUIRED_ACS, firmwareControl: 0 } }),
    };
  }
  const control = (acs.control ?? 0) | (REQUIRED_ACS & acs.capability);
  return {
    title: `Switch on ACS ${acsText(control & ~(acs.control ?? 0))} of ${nameOf(fn)}, which has it (pci=config_acs=, setpci)`, effort: 'setting',
    edits: [{ kind: 'set-property', subject: fn.id, property: 'acs-control', text: `acs-control ${acsText(control)}` }],
    apply: (host) => withFunction(host, fn.id, { acs: { ...acs, control } }),
  };
}

/** Several changes as one. */
export function together(changes: readonly Change[]): Change {
  const [first] = changes;
  if (first !== undefined && changes.length === 1) return first;
  return {
    title: changes.map((change, index) => (index === 0 ? change.title : change.title.charAt(0).toLowerCase() + change.title.slice(1))).join('; and '),
    effort: EFFORTS.findLast((effort) => changes.some((change) => change.effort === effort)) ?? 'setting',
    edits: changes.flatMap((change) => change.edits),
    apply: (host) => changes.reduce((changed, change) => change.apply(changed), host),
  };
}

// ------------------------------------------------------------------------------------------------ kernel

function kernelChange(host: HostDescription, title: string, effort: Effort, change: Partial<KernelDescription>): Change {
  return {
    title, effort, edits: [{ kind: 'set-property', subject: host.id, property: 'kernel', text: kernelStatement({ ...host.kernel, ...change }) }],
    apply: (each) => ({ ...each, kernel: { ...each.kernel, ...change } }),
  };
}

/** ACE-12: the release that repaired the quirks of ports without capability. */
const REPAIRED_IN = 6012;

/** Newer kernels whose tables say more about these functions, the oldest first. */
export function newerKernels(host: HostDescription, functions: readonly FunctionDescription[]): Change[] {
  const { release } = profileFor(host.kernel.version);
  const since = functions.flatMap(({ ids }) => (ids === undefined ? [] : quirksOfVendor(ids.vendor).filter(({ devices }) => devices === 'any' || listsId(devices, ids.device)).map((quirk) => quirk.since)));
  const releases = [...new Set([...since, ...(functions.some(({ ids }) => ids !== undefined) ? [REPAIRED_IN] : [])])].filter((each) => each > release).sort((a, b) => a - b);
  return releases.map((each) => {
    const version = `${Math.floor(each / 1000)}.${each % 1000}`;
    return kernelChange(host, `Use Linux ${version}, which knows that this hardware isolates`, 'kernel', { version });
  });
}

/** Parts of `pci=` that take ACS away. */
const TAKES_AWAY = /^(disable_acs_redir|config_acs)=/;

/** The command line without what switches ACS off; null when nothing there does. */
export function withoutAcsOptions(host: HostDescription): Change | null {
  const line = editedWords(host.kernel.commandLine, (word) => {
    if (!word.startsWith('pci=')) return word;
    const kept = word.slice('pci='.length).split(',').filter((part) => !TAKES_AWAY.test(part));
    return kept.length === 0 ? null : `pci=${kept.join(',')}`;
  });
  return line === host.kernel.commandLine ? null : kernelChange(host, 'Remove the options that switch ACS off from the command line', 'setting', { commandLine: line });
}

/** A command line with each word replaced, or left out where `edit` says null. */
export const editedWords = (line: string, edit: (word: string) => string | null): string => line.split(/\s+/).flatMap((word) => edit(word) ?? []).join(' ').trim();

const OVERRIDE = 'pcie_acs_override';

export const hasOverride = ({ kernel }: HostDescription): boolean => kernel.commandLine.split(/\s+/).some((word) => word === OVERRIDE || word.startsWith(`${OVERRIDE}=`));

export const withoutOverride = (host: HostDescription): HostDescription =>
  ({ ...host, kernel: { ...host.kernel, commandLine: editedWords(host.kernel.commandLine, (word) => (word === OVERRIDE || word.startsWith(`${OVERRIDE}=`) ? null : word)) } });

export const overriding = (host: HostDescription): Change => {
  const option = `${OVERRIDE}=downstream,multifunction`;
  return kernelChange(host, `Boot with ${option}: a split on paper only, this is no isolation`, 'override', { commandLine: `${host.kernel.commandLine} ${option}`.trim() });
};

// ------------------------------------------------------------------------------------------------ slots

/** Empty ports whose way to the root isolates as far as the registers say. */
export const freeSlots = (topology: Topology, acs: AcsRegisters): FunctionDescription[] =>
  topology.functions.filter((port) => PORTS.has(port.type) && topology.children(port).length === 0 && weakFunctions(topology, acs, [port, ...topology.ancestors(port)]).length === 0);

/** What stands in the slot of `fn` and is moved with it; null where it is soldered down, or is more than plain functions. */
export function cardOf(topology: Topology, fn: FunctionDescription): readonly FunctionDescription[] | null {
  const port = topology.upstream(fn);
  if (port === null || !PORTS.has(port.type)) return null;
  const card = topology.children(port);
  return card.every((each) => topology.children(each).length === 0 && each.virtualFunction === undefined && topology.virtualFunctions(each).length === 0) ? card : null;
}

/** Puts a card into an empty slot, on the bus number of that slot. */
export function moving(topology: Topology, card: readonly FunctionDescription[], slot: FunctionDescription): Change | null {
  const bus = topology.secondaryBus(slot) ?? freeBus(topology, slot.address.segment);
  if (bus === null) return null;
  const moved = card.map((fn) => ({ fn, address: { ...fn.address, segment: slot.address.segment, bus } }));
  const byId = new Map(moved.map(({ fn, address }) => [fn.id, { ...fn, upstream: slot.id, address }]));
  return {
    title: `Move ${card.map((fn) => fn.name).join(', ')} to the slot of ${nameOf(slot)}`, effort: 'move',
    edits: [{ kind: 'move-inside', subject: slot.id, moved: moved.map(({ fn, address }) => ({ subject: fn.id, address: addressText(address).replace(/^0000:/, '') })) }],
    apply: (host) => ({ ...host, functions: host.functions.map((fn) => byId.get(fn.id) ?? fn) }),
  };
}

function freeBus(topology: Topology, segment: number): number | null {
  const used = new Set(topology.functions.flatMap((fn) => (fn.address.segment === segment ? [fn.address.bus, ...(fn.buses === undefined ? [] : [fn.buses.secondary])] : [])));
  for (let bus = 1; bus < 256; bus++) if (!used.has(bus)) return bus;
  return null;
}

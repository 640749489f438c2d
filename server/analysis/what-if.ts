/**
 * "Could these be apart?": the changes of a host that put a device into another group than others, each verified by forming the groups of
 * the changed host, the smallest first. Pure, and bounded: groups are formed at most MAX_TRIES times, on the part of the host that matters.
 */
import { isBridge } from '../diagnostics/facts.js';
import type { Edit } from '../diagnostics/rule.js';
import type { FunctionDescription, HostDescription, SubjectId } from '../simulator/description.js';
import { indexBy } from '../simulator/fabric/multimap.js';
import { Topology } from '../simulator/fabric/topology.js';
import { parseCommandLine } from '../simulator/kernel/command-line.js';
import { formGroups, type FormedGroups } from '../simulator/kernel/groups.js';
import { profileFor } from '../simulator/kernel/profile.js';
import type { GroupReason } from '../simulator/report.js';
import { cardOf, EFFORTS, freeSlots, hasOverride, isolating, moving, newerKernels, overriding, together, weakFunctions, withoutAcsOptions, withoutOverride, type Change } from './what-if-changes.js';
import { peerProof, type PeerProof } from './what-if-proof.js';

export interface Alternative {
  readonly title: string;
  /** Real isolation, or a split of which the hardware knows nothing. */
  readonly kind: 'real' | 'cosmetic';
  readonly edits: readonly Edit[];
  /** Groups after it that hold a member of the group before; that of the device first. */
  readonly groupsAfter: readonly (readonly SubjectId[])[];
  /** Of a cosmetic split: a DMA from one to the other that no IOMMU sees. */
  readonly proof?: PeerProof;
}

export interface WhatIf {
  /** 'on-paper': apart, but only because of the override patch. */
  readonly now: 'together' | 'apart' | 'on-paper' | 'no-group';
  /** The groups that hold the functions asked about, without any override. */
  readonly groupsNow: readonly (readonly SubjectId[])[];
  /** Somebody does not know a fact on which this depends. */
  readonly uncertain: boolean;
  /** What puts them together, fact by fact. */
  readonly blame: readonly GroupReason[];
  /** Of 'on-paper': what shows it. */
  readonly proof?: PeerProof;
  /** The smallest change first. */
  readonly alternatives: readonly Alternative[];
}

/** How often groups may be formed for one question. */
const MAX_TRIES = 48;
/** Weak functions that are looked at, the nearest to the device first. */
const MAX_WEAK = 12;
/** Slots that a card is tried in, and moves that are told. */
const MAX_SLOTS = 6;
const MAX_MOVES = 2;

/** A host without override, with its groups: shared by the questions about it. */
interface Base {
  readonly real: HostDescription;
  readonly topology: Topology;
  readonly formed: FormedGroups;
}

const bases = new WeakMap<HostDescription, Base>();

function baseOf(host: HostDescription): Base {
  let base = bases.get(host);
  if (base === undefined) {
    const real = withoutOverride(host);
    const topology = new Topology(real);
    bases.set(host, (base = { real, topology, formed: groupsOf(real, topology) }));
  }
  return base;
}

const groupsOf = (host: HostDescription, topology = new Topology(host)): FormedGroups =>
  formGroups(host, topology, profileFor(host.kernel.version), parseCommandLine(host.kernel.commandLine));

/** @param others functions that are to be in other groups than `device` */
export function whatIf(host: HostDescription, device: SubjectId, others: readonly SubjectId[]): WhatIf {
  const { real, topology, formed } = baseOf(host);
  const numbers = [device, ...others].map((each) => formed.groupOf.get(each));
  if (numbers.some((number) => number === undefined)) return { now: 'no-group', groupsNow: [], uncertain: false, blame: [], alternatives: [] };
  const groups = [...new Set(numbers)].map((number) => formed.groups[number!]!);
  const groupsNow = groups.map(({ members }) => members);
  const uncertain = groups.some((group) => group.uncertain);
  const entangled = others.filter((other) => formed.groupOf.get(other) === formed.groupOf.get(device));
  if (entangled.length === 0) return { now: 'apart', groupsNow, uncertain, blame: [], alternatives: [] };
  const question = new Question(real, topology, formed, device, entangled);
  const onPaper = hasOverride(host) && isApart(groupsOf(host), device, entangled);
  const proof = onPaper ? question.proof() : undefined;
  return { now: onPaper ? 'on-paper' : 'together', groupsNow, uncertain, blame: question.blame(), ...(proof && { proof }), alternatives: question.alternatives() };
}

const isApart = ({ groupOf }: FormedGroups, device: SubjectId, others: readonly SubjectId[]): boolean => {
  const number = groupOf.get(device);
  return number !== undefined && others.every((other) => groupOf.has(other) && groupOf.get(other) !== number);
};

/** One question, with what is looked up once for all its candidates. */
class Question {
  private tries = 0;
  private readonly members: readonly SubjectId[];
  /** The functions asked about, the nearest bridges above them first, and all in their slots. */
  private readonly concerned: readonly FunctionDescription[];
  private readonly slots: readonly FunctionDescription[];
  /** The part of the host on which the answer depends. */
  private readonly part: HostDescription;

  constructor(
    private readonly host: HostDescription,
    private readonly topology: Topology,
    private readonly formed: FormedGroups,
    private readonly device: SubjectId,
    private readonly others: readonly SubjectId[],
  ) {
    this.members = formed.groups[formed.groupOf.get(device)!]!.members;
    this.concerned = this.onTheWay();
    this.slots = freeSlots(topology, formed.acs).slice(0, MAX_SLOTS);
    this.part = neighbourhood(host, topology, [...this.concerned, ...this.slots, ...this.functions(this.members)]);
  }

  alternatives(): Alternative[] {
    const found = [...this.settings(), ...this.kernels(), ...this.moves(), ...this.isolation()];
    const real = found.sort((a, b) => EFFORTS.indexOf(a.change.effort) - EFFORTS.indexOf(b.change.effort) || a.change.edits.length - b.change.edits.length)
      .map(({ change, groupsAfter }): Alternative => ({ title: change.title, kind: 'real', edits: change.edits, groupsAfter }));
    return [...real, ...this.cosmetic()];
  }

  /** How each of those concerned came into the group, where it did not start it. */
  blame(): GroupReason[] {
    const why = indexBy(this.formed.groups[this.formed.groupOf.get(this.device)!]!.why(), ({ device }) => device);
    const reasons = this.concerned.flatMap((fn) => {
      const last = why.get(fn.id)?.reasons.at(-1);
      return last === undefined || last.subject === undefined ? [] : [last];
    });
    return [...new Map(reasons.map((reason) => [reason.text, reason])).values()];
  }

  /** From the device to one of the others, or back. */
  proof(): PeerProof | undefined {
    for (const other of this.others) {
      const proof = peerProof(this.part, this.device, other) ?? peerProof(this.part, other, this.device);
      if (proof !== null) return proof;
    }
    return undefined;
  }

  // ---------------------------------------------------------------------------------------------- candidates

  private *settings(): Generator<Verified> {
    const change = withoutAcsOptions(this.host);
    if (change !== null) yield* this.verified(change);
  }

  /** The oldest that helps. */
  private *kernels(): Generator<Verified> {
    for (const change of newerKernels(this.host, this.weak())) {
      const found = [...this.verified(change)];
      if (found.length > 0) return yield* found;
    }
  }

  private *moves(): Generator<Verified> {
    let told = 0;
    for (const mover of this.functions(this.others.length === 1 ? [this.device, ...this.others] : [this.device])) {
      const card = cardOf(this.topology, mover);
      if (card === null) continue;
      for (const slot of this.slots) {
        const change = moving(this.topology, card, slot);
        for (const found of change === null ? [] : this.verified(change)) {
          yield found;
          if (++told === MAX_MOVES) return;
        }
      }
    }
  }

  /** Each single function whose isolation is enough; where none is, the fewest that are. */
  private *isolation(): Generator<Verified> {
    const weak = this.weak();
    const singles = weak.flatMap((fn) => [...this.verified(isolating(fn))]);
    if (singles.length > 0) return yield* singles;
    let needed = weak;
    if (this.verify(together(needed.map(isolating))) === null) return;
    for (const fn of [...weak].reverse()) {
      const fewer = needed.filter((each) => each !== fn);
      if (this.verify(together(fewer.map(isolating))) !== null) needed = fewer;
    }
    yield* this.verified(together(needed.map(isolating)));
  }

  private *cosmetic(): Generator<Alternative> {
    for (const { change, groupsAfter } of this.verified(overriding(this.host))) {
      const proof = this.proof();
      yield { title: change.title, kind: 'cosmetic', edits: change.edits, groupsAfter, ...(proof && { proof }) };
    }
  }

  private weak(): FunctionDescription[] {
    return weakFunctions(this.topology, this.formed.acs, this.concerned).slice(0, MAX_WEAK);
  }

  private *verified(change: Change): Generator<Verified> {
    const groupsAfter = this.verify(change);
    if (groupsAfter !== null) yield { change, groupsAfter };
  }

  /** The groups of the changed host, when they are apart in it. */
  private verify(change: Change): Verified['groupsAfter'] | null {
    if (++this.tries > MAX_TRIES) return null;
    const after = groupsOf(change.apply(this.part));
    if (!isApart(after, this.device, this.others)) return null;
    const before = new Set(this.members);
    const touched = after.groups.filter(({ members }) => members.some((member) => before.has(member))).map(({ members }) => members);
    return touched.sort((a, b) => Number(b.includes(this.device)) - Number(a.includes(this.device)));
  }

  // ---------------------------------------------------------------------------------------------- look-ups

  private functions(ids: readonly SubjectId[]): FunctionDescription[] {
    return ids.flatMap((id) => this.topology.byId(id) ?? []);
  }

  private onTheWay(): FunctionDescription[] {
    const found = new Set<FunctionDescription>();
    for (const fn of this.functions([this.device, ...this.others])) {
      const real = this.topology.realDmaDevice(fn);
      for (const each of [fn, real, ...this.topology.ancestors(real)]) for (const sibling of [each, ...this.topology.slot(each)]) found.add(sibling);
    }
    return [...found];
  }
}

interface Verified {
  readonly change: Change;
  readonly groupsAfter: readonly (readonly SubjectId[])[];
}

/** The host with everything on its root buses, but below them only the trees in which one of `functions` stands. */
export function neighbourhood(host: HostDescription, topology: Topology, functions: Iterable<FunctionDescription>): HostDescription {
  const roots = new Map<SubjectId, FunctionDescription>();
  for (const fn of topology.functions) {
    const above = topology.upstream(fn);
    roots.set(fn.id, (above === null ? topology.physicalFunction(fn) : roots.get(above.id)) ?? fn);
  }
  const wanted = new Set<FunctionDescription>();
  for (const fn of functions) for (const root of topology.slot(roots.get(fn.id)!)) wanted.add(root);
  return { ...host, functions: host.functions.filter((fn) => topology.isOnRootBus(fn) || wanted.has(roots.get(fn.id)!)) };
}

/** "{gpu audio} {nic}": groups by name, without their bridges. */
export function previewText(host: HostDescription, groups: readonly (readonly SubjectId[])[], limit = 6): string {
  const names = new Map(host.functions.filter((fn) => !isBridge(fn)).map((fn) => [fn.id, fn.name]));
  const texts = groups.flatMap((members) => {
    const shown = members.flatMap((member) => names.get(member) ?? []);
    return shown.length === 0 ? [] : [`{${shown.length > limit ? [...shown.slice(0, limit), `and ${shown.length - limit} more`].join(' ') : shown.join(' ')}}`];
  });
  return texts.length > limit ? `${texts.slice(0, limit).join(' ')} and ${texts.length - limit} more` : texts.join(' ');
}

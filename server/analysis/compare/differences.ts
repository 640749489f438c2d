/**
 * Where two models part at one row, and why: other answers, the same check elsewhere, other objects. The reasons come from
 * the tables of checks and moments and from what the simulator itself says about a call.
 */
import type { PlaceView } from '../../protocol.js';
import type { DifferenceView } from '../../protocol-compare.js';
import { verbNamed } from '../../simulator/scenario/verbs.js';
import type { KernelProfile } from '../../simulator/kernel/profile.js';
import { CHECKS, madeBy, type Asked, type Check, type Translated } from './checks.js';
import type { Model } from './models.js';
import { phaseOf } from './phases.js';
import { MOMENT_NAMES, wordsOf, type Moment, type MomentKind } from './moments.js';

export interface Call {
  readonly verb: string;
  readonly text: string;
  readonly call?: string;
  /** "ok" or what it was refused with; of a DMA where it went. */
  readonly result: string;
  readonly isDma: boolean;
  readonly rules: readonly string[];
  /** The sentence that says why it was refused. */
  readonly why: string;
  readonly good: boolean;
  readonly asked: readonly Asked[];
  /** All that the simulator says about it. */
  readonly sentences: readonly { readonly text: string; readonly rules: readonly string[] }[];
}

export interface SideOfRow {
  readonly calls: readonly Call[];
  readonly moments: readonly Moment[];
  /** What the device of a DMA translates through, by name. */
  readonly through: string;
}

export interface Side {
  readonly model: Model;
  readonly profile: KernelProfile;
  readonly rows: readonly SideOfRow[];
  /** What kinds of devices its programs use at all. */
  readonly devices: ReadonlySet<Translated>;
}

export type Sides = readonly [Side, Side];

export function differencesAt(row: number, sides: Sides, place: PlaceView | undefined): DifferenceView[] {
  const found = [...answers(row, sides), ...absent(row, sides), ...moments(row, sides)];
  return place === undefined ? found : found.map((difference) => ({ ...difference, place }));
}

// ------------------------------------------------------------------------------------------------ answers

const refusedCall = ({ calls }: SideOfRow): Call | undefined => calls.find((call) => !call.isDma && !call.good);

function answers(row: number, sides: Sides): DifferenceView[] {
  const [left, right] = [sides[0].rows[row]!, sides[1].rows[row]!];
  if (left.calls.length === 0 || right.calls.length === 0) {
    // Refused where the other side makes no call at all.
    return ([0, 1] as const).flatMap((side) => {
      const call = refusedCall(sides[side].rows[row]!);
      return call === undefined ? [] : [answer(`${sides[side].model.name}: ${call.result}; ${sides[(1 - side) as 0 | 1].model.name} makes no call here`, sides, [[side, call]])];
    });
  }
  const results = [left, right].map((side) => (refusedCall(side) ?? side.calls.find(({ isDma }) => isDma))?.result ?? 'ok');
  if (results[0] === results[1]) return [];
  const text = `${sides[0].model.name}: ${results[0]}; ${sides[1].model.name}: ${results[1]}`;
  if (left.calls[0]!.isDma) return [dmaAnswer(text, row, sides)];
  return [answer(text, sides, ([0, 1] as const).flatMap((side) => {
    const call = refusedCall(sides[side].rows[row]!);
    return call === undefined ? [] : [[side, call] as const];
  }))];
}

function answer(text: string, sides: Sides, refusals: readonly (readonly [0 | 1, Call])[]): DifferenceView {
  const parts = refusals.map(([side, call]) => ({ side, call, check: checkOf(call) }));
  const reasons = parts.map(({ side, call }) => `${sides[side].model.name}: ${call.why}`);
  const checks = [...new Set(parts.flatMap(({ check }) => check ?? []))];
  const asked = checks.map((check) => `${capital(`whether ${check.what}`)}: ${whereAsked(check, sides)}. ${check.because}`);
  return { kind: 'answer', text, reason: [...reasons, ...asked].join(' '), rules: distinct([...parts.flatMap(({ call }) => call.rules), ...checks.flatMap((check) => rulesOf(check, sides))]) };
}

/** The check that refused a call: one with its rule, asked at this call or anywhere else. */
export function checkOf({ rules, asked, verb, result }: Call): Check | undefined {
  if (result === 'ok') return undefined;
  const fits = (made: { readonly rules: readonly string[]; readonly errno: string }): boolean => made.errno === result && rules.some((rule) => made.rules.includes(rule));
  return asked.find(fits)?.check ?? CHECKS.find(({ made }) => made.some((each) => each.verb === verb && fits(each))) ?? CHECKS.find(({ made }) => made.some(fits));
}

/** "type1@5.13 asks at VFIO_GROUP_GET_DEVICE_FD (EINVAL), iommufd@6.19 at VFIO_DEVICE_BIND_IOMMUFD (EPERM)". */
function whereAsked(check: Check, sides: Sides): string {
  return sides.map(({ model, profile, devices }) => {
    const made = madeBy(check, model.uapi, profile, devices);
    return made.length === 0 ? `${model.name} never asks` : `${model.name} asks at ${made.map(({ verb, errno }) => `${callOf(verb, model)} (${errno})`).join(' and ')}`;
  }).join('; ');
}

const rulesOf = (check: Check, sides: Sides): string[] => sides.flatMap(({ model, profile, devices }) => madeBy(check, model.uapi, profile, devices).flatMap(({ rules }) => rules));

/** Verbs that mean two calls: the first is the container's, the second iommufd's. */
export function callOf(verb: string, { uapi }: Model): string {
  const [container = verb, iommufd = container] = (verbNamed.get(verb)?.call ?? verb).split(' / ');
  return uapi === 'iommufd' ? iommufd : container;
}

/** A DMA meets other domains: that says more than its fault code. */
function dmaAnswer(text: string, row: number, sides: Sides): DifferenceView {
  const reasons = sides.map(({ model, rows }) => `${model.name}: the device translates through ${rows[row]!.through}. ${sentence(rows[row]!.calls[0]!.why)}`.trim());
  return { kind: 'answer', text, reason: reasons.join(' '), rules: distinct(sides.flatMap(({ rows }) => rows[row]!.calls.flatMap(({ rules }) => rules))) };
}

// ------------------------------------------------------------------------------------------------ calls that one side has not

/** Why a call of one interface has no counterpart in the other. */
const ALONE: Readonly<Record<string, { readonly reason: string; readonly rules: readonly string[] }>> = {
  'group-status': { reason: 'Viability is a question about a group. iommufd has no such question: binding takes ownership or says why not.', rules: ['VFG-11', 'VFG-12', 'IFD-30'] },
  'get-device': { reason: 'With type1 the device file comes last, out of the group; with iommufd the program has opened it first.', rules: ['VFG-16', 'CDV-01', 'SBS-01'] },
  'set-iommu': { reason: 'The container chooses a back end for all its groups at once; with iommufd each device is attached by itself.', rules: ['VFG-04', 'CDV-03', 'SBS-01'] },
  'check-extension': { reason: 'What an iommufd offers is asked per object, not as numbered extensions of a container.', rules: ['VFG-08', 'IFD-65'] },
  'open-iommufd': { reason: 'An iommufd is not an address space; a container is one. The container is opened where the address space is allocated.', rules: ['IFD-06', 'IFD-11', 'SBS-01'] },
  'open-cdev': { reason: 'Both devices are in one group, whose file type1 opens once.', rules: ['VFG-10', 'CDV-06'] },
  'bind-iommufd': { reason: 'Type1 has no call that takes a device: joining a container takes the group, before 5.19 nothing does.', rules: ['CDV-02', 'OLD-01', 'OWN-04', 'SBS-01'] },
  'ioas-alloc': { reason: 'A container is its own address space; an iommufd has as many as the program allocates.', rules: ['IFD-11', 'SBS-01'] },
  'hwpt-alloc': { reason: 'A program cannot ask type1 for a page table: only the container allocates domains, and nobody can say what kind is wanted.', rules: ['IFD-60', 'SBS-01'] },
  attach: { reason: 'Type1 attaches groups as a whole and knows no PASIDs.', rules: ['PAS-02', 'SBS-03'] },
  'iommu-info': { reason: 'A container says which addresses it has left; of an iommufd each address space is asked.', rules: ['VFT-03', 'IFD-15'] },
  'ioas-ranges': { reason: 'An address space says which addresses its devices have left; with type1 the container is asked.', rules: ['IFD-15', 'VFT-03'] },
  map: { reason: 'The other interface has no such kind of mapping: type1 wants to be told the address, and iommufd updates no virtual addresses.', rules: ['IFD-18', 'VFT-53'] },
  copy: { reason: 'Memory that is mapped in one container cannot be mapped in another without pinning and counting it again.', rules: ['IFD-16', 'VFT-64'] },
  'get-hw-info': { reason: 'Type1 says nothing of the hardware behind a device.', rules: ['IFD-65'] },
};

function absent(row: number, sides: Sides): DifferenceView[] {
  const [left, right] = [sides[0].rows[row]!, sides[1].rows[row]!];
  const alone = left.calls.length === 0 ? right : right.calls.length === 0 ? left : undefined;
  const call = alone?.calls[0];
  const words = call === undefined ? undefined : (ALONE[call.verb] ?? objectCall(call));
  if (alone === undefined || call === undefined) return [];
  const other = sides[alone === left ? 1 : 0];
  const ended = refusedOpen(other, row);
  if (ended !== undefined) return [{ kind: 'call', text: `${other.model.name} makes no call any more`, reason: `Its program has nothing to call on since step ${ended.row + 1}, ${ended.call.call ?? ended.call.text} (${ended.call.result}).`, rules: ended.call.rules }];
  if (words === undefined) return [];
  return [{ kind: 'call', text: `${other.model.name} has no call for this`, reason: words.reason, rules: words.rules }];
}

/** Calls on objects that only an iommufd has. */
function objectCall({ verb }: Call): { readonly reason: string; readonly rules: readonly string[] } | undefined {
  const spec = verbNamed.get(verb);
  return spec !== undefined && /^IOMMU_/.test(spec.call) ? { reason: 'A container has no such object: what a program of type1 can name is the container, its groups and their devices.', rules: spec.rules } : undefined;
}

/** The latest file before a row that a side was refused. */
function refusedOpen({ rows }: Side, before: number): { readonly row: number; readonly call: Call } | undefined {
  for (let row = before - 1; row >= 0; row--) {
    const call = refusedCall(rows[row]!);
    if (call !== undefined && phaseOf(call.verb) === 'open') return { row, call };
  }
  return undefined;
}

// ------------------------------------------------------------------------------------------------ objects

/** What one side's objects go through here and the other's do not. */
function moments(row: number, sides: Sides): DifferenceView[] {
  return ([0, 1] as const).flatMap((here) => {
    const there = (1 - here) as 0 | 1;
    const kinds = new Set(sides[here].rows[row]!.moments.map(({ kind }) => kind));
    const others = new Set(sides[there].rows[row]!.moments.map(({ kind }) => kind));
    return [...kinds].filter((kind) => !others.has(kind)).map((kind) => momentDifference(kind, sides[here], sides[there]));
  });
}

function momentDifference(kind: MomentKind, here: Side, there: Side): DifferenceView {
  const words = wordsOf(kind, here.model, here.profile);
  const base = { kind: 'objects', text: `${here.model.name} ${words.says}` } as const;
  const same = whenIs(kind, there);
  if (same !== undefined) return { ...base, reason: `${there.model.name} does this at ${same}.`, rules: words.rules };
  const never = `${MOMENT_NAMES[kind]} never comes up in ${there.model.name}.`;
  for (const counterpart of COUNTERPARTS[kind] ?? []) {
    const at = whenIs(counterpart, there);
    if (at === undefined) continue;
    const other = wordsOf(counterpart, there.model, there.profile);
    return { ...base, reason: `${never} In its place it ${other.says}, at ${at}.`, rules: distinct([...words.rules, ...other.rules]) };
  }
  const why = there.profile.ownership === 'viability' ? BEFORE_OWNERSHIP[kind] : undefined;
  return why === undefined ? { ...base, reason: never, rules: words.rules } : { ...base, reason: `${never} ${why.reason}`, rules: distinct([...words.rules, ...why.rules]) };
}

/** Why kernels before 5.19 have no such moment. */
const BEFORE_OWNERSHIP: Readonly<Partial<Record<MomentKind, { readonly reason: string; readonly rules: readonly string[] }>>> = {
  owned: { reason: 'Before 5.19 nobody owns the DMA of a group: VFIO asks whether it is viable, and only when the device file is wanted.', rules: ['OLD-01', 'VFG-16'] },
  blocked: { reason: 'Before 5.19 a group that is attached to nothing keeps the default domain of the kernel.', rules: ['OLD-08'] },
};

/** "step 4, VFIO_SET_IOMMU": where a side first has such a moment. */
function whenIs(kind: MomentKind, { rows }: Side): string | undefined {
  const row = rows.findIndex(({ moments: all }) => all.some((moment) => moment.kind === kind));
  if (row < 0) return undefined;
  const calls = rows[row]!.calls.map(({ call, text }) => call ?? text);
  return `step ${row + 1}${calls.length === 0 ? '' : `, ${calls.join(', ')}`}`;
}

/** What the other interface has in the place of something that it does not have. */
const COUNTERPARTS: Readonly<Partial<Record<MomentKind, readonly MomentKind[]>>> = {
  external: ['access', 'emulated'], emulated: ['access', 'external'], access: ['external', 'emulated', 'hint'], space: ['external', 'emulated'], hint: ['access', 'pasid', 'domain'], domain: ['external'],
};

const distinct = (values: readonly string[]): string[] => [...new Set(values)];
const sentence = (text: string): string => (text === '' || text.endsWith('.') ? text : `${text}.`);
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

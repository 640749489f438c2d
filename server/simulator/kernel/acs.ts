/** Does a function isolate, as Linux asks it: `pci_acs_enabled` and the path test (ACS-01 .. ACS-09). */
import type { FunctionDescription, FunctionType } from '../description.js';
import { isPcie, typeText } from '../fabric/function-type.js';
import { addressText } from '../fabric/pci-address.js';
import type { Topology } from '../fabric/topology.js';
import type { BootAcs } from './acs-boot.js';
import type { AcsOverride } from './acs-parameters.js';
import { ACS, quirksOfVendor, REQUIRED_ACS, type AcsQuirk } from './acs-quirks.js';
import { listsId } from './quirk-ids.js';

/** The answer for one function, with the fact that decided it. */
export interface AcsVerdict {
  /** 'unknown': it depends on something that the description does not know. */
  readonly isolates: boolean | 'unknown';
  /** What is so about the function, to follow its name: "lacks ACS RR, CR". */
  readonly fact: string;
  readonly rules: readonly string[];
}

export interface AcsContext {
  readonly boot: Pick<BootAcs, 'stateOf'>;
  readonly override: AcsOverride | null;
  /** The firmware describes an AMD IOMMU (AQK-01). */
  readonly hasAmdIommu: boolean;
  /** The kernel's release, major * 1000 + minor. */
  readonly release: number;
}

const NEVER_ISOLATE: ReadonlySet<FunctionType> = new Set(['pci-to-pcie-bridge', 'pcie-to-pci-bridge', 'event-collector']);
const PORTS: ReadonlySet<FunctionType> = new Set(['root-port', 'downstream-port']);
const OVERRIDE_ENDS: ReadonlySet<FunctionType> = new Set(['endpoint', 'legacy-endpoint', 'upstream-port', 'integrated-endpoint']);

const BIT_NAMES = Object.entries(ACS);
const ALL_BITS = BIT_NAMES.reduce((all, [, bit]) => all | bit, 0);

/** By value: many ports, few texts. */
const ACS_TEXTS = new Map<number, string>();

/** "RR, CR" */
export function acsText(bits: number): string {
  const known = bits & ALL_BITS;
  let text = ACS_TEXTS.get(known);
  if (text === undefined) ACS_TEXTS.set(known, (text = BIT_NAMES.filter(([, bit]) => known & bit).map(([name]) => name).join(', ') || 'none'));
  return text;
}

const verdict = (isolates: AcsVerdict['isolates'], fact: string, ...rules: string[]): AcsVerdict => ({ isolates, fact, rules });

/** What most functions of a host have for an answer. */
const ALONE = verdict(true, 'has no other function beside it to reach', 'ACS-05');
const WITHOUT = { 'ACS-04': verdict(false, 'has no ACS capability', 'ACS-04', 'ACS-07'), 'ACS-05': verdict(false, 'has no ACS capability', 'ACS-05', 'ACS-07') } as const;

/** Answers for the functions of one host, each worked out once. */
export class AcsQuestions {
  private readonly verdicts = new Map<FunctionDescription, AcsVerdict>();

  constructor(
    private readonly topology: Topology,
    private readonly context: AcsContext,
  ) {}

  /** All of SV, RR, CR and UF are in force for the function, or it cannot reach a peer (ACS-01 .. ACS-08). */
  of(fn: FunctionDescription): AcsVerdict {
    let known = this.verdicts.get(fn);
    if (known === undefined) this.verdicts.set(fn, (known = this.byQuirk(fn) ?? this.byOverride(fn) ?? this.byCapability(fn)));
    return known;
  }

  /** Of all others it is known whether they isolate, without having to ask. */
  hasUnknown({ type, acs }: FunctionDescription): boolean {
    return type === 'unknown' || acs === 'unknown';
  }

  /** ACS-01: the first entry with an opinion decides, before anything else is looked at. */
  private byQuirk(fn: FunctionDescription): AcsVerdict | null {
    if (fn.ids === undefined) return null;
    for (const quirk of quirksOfVendor(fn.ids.vendor)) {
      if (quirk.since > this.context.release) continue;
      const opinion = this.opinion(quirk, fn, fn.ids.device);
      if (opinion !== null) return opinion;
    }
    return null;
  }

  private opinion(quirk: AcsQuirk, fn: FunctionDescription, device: number): AcsVerdict | null {
    const listed = quirk.devices === 'any' || listsId(quirk.devices, device);
    if (quirk.types && !quirk.types.includes(fn.type) && !(fn.type === 'unknown' && listed && quirk.devices !== 'any')) return null;
    if (!listed) return quirk.refusesOthers ? verdict(false, `is not among the ${quirk.family} devices that the kernel takes as isolating`, 'ACS-01', quirk.rule) : null;
    const claims = this.claims(quirk, fn);
    if (claims === null) return null;
    const missing = REQUIRED_ACS & (quirk.asksOnly ?? ~0) & ~claims;
    return missing === 0
      ? verdict(true, `is a ${quirk.family} device that the kernel knows to isolate`, 'ACS-01', quirk.rule)
      : verdict(false, `is a ${quirk.family} device that the kernel knows to lack ACS ${acsText(missing)}`, 'ACS-01', quirk.rule);
  }

  /** Bits that the quirk vouches for; null when its condition does not hold. */
  private claims(quirk: AcsQuirk, fn: FunctionDescription): number | null {
    const { capability, control, quirkEnabled } = this.context.boot.stateOf(fn);
    switch (quirk.condition) {
      case undefined: return quirk.claims;
      case 'multifunction-on-amd-root-bus': return this.context.hasAmdIommu && this.topology.isMultifunction(fn) && this.topology.isOnRootBus(fn) ? quirk.claims : null;
      case 'boot-quirk-enabled': return quirkEnabled ? quirk.claims : 0;
      case 'control-at-8': return capability === null ? null : control | ~(capability | ACS.EC);
    }
  }

  /** ACE-10: the out-of-tree patch adds a last entry that looks only at PCIe devices without an ACS capability. */
  private byOverride(fn: FunctionDescription): AcsVerdict | null {
    const { override } = this.context;
    if (override === null || fn.acs !== 'none' || isPcie(fn) !== true) return null;
    const named = fn.ids !== undefined && override.ids.has(fn.ids.vendor * 0x1_0000 + fn.ids.device);
    const port = override.downstream && PORTS.has(fn.type);
    const several = override.multifunction && OVERRIDE_ENDS.has(fn.type) && this.topology.isMultifunction(fn);
    return named || port || several ? verdict(true, 'is declared isolating by pcie_acs_override, whatever the hardware does', 'ACE-10') : null;
  }

  private byCapability(fn: FunctionDescription): AcsVerdict {
    if (fn.type === 'unknown') return this.byUnknownType(fn);
    if (!isPcie(fn)) return verdict(false, `is a ${typeText(fn)} without ACS`, 'ACS-02');
    if (NEVER_ISOLATE.has(fn.type)) return verdict(false, `is a ${typeText(fn)}, which never isolates`, 'ACS-03');
    if (PORTS.has(fn.type)) return this.byFlags(fn, 'ACS-04');
    // What is left are the types of ACS-05. ACS-06 lets every other type pass: PCIe has none, and a description can say none.
    if (!this.topology.isMultifunction(fn)) return ALONE;
    return this.byFlags(fn, 'ACS-05');
  }

  /** Whatever its type, a function with all bits in force passes and one that has siblings and lacks some does not. */
  private byUnknownType(fn: FunctionDescription): AcsVerdict {
    if (fn.acs !== 'unknown' && fn.acs !== 'none') return this.byFlags(fn, 'ACS-04');
    return verdict('unknown', 'is of unknown type', 'ACS-02');
  }

  /** ACS-08: bits that the capability lacks are taken as always in force; no capability at all is the opposite (ACS-07). */
  private byFlags(fn: FunctionDescription, rule: keyof typeof WITHOUT): AcsVerdict {
    const { capability, control, unknown, origin } = this.context.boot.stateOf(fn);
    if (unknown) return verdict('unknown', 'has an ACS capability or not: nobody knows', rule);
    if (capability === null) return WITHOUT[rule];
    const missing = REQUIRED_ACS & capability & ~control;
    return missing === 0
      ? verdict(true, `has ACS ${acsText(REQUIRED_ACS & capability)} on, ${origin}`, rule, 'ACS-08')
      : verdict(false, `lacks ACS ${acsText(missing)} (control ${acsText(control)}, ${origin})`, rule, 'ACS-08');
  }
}

/** "00:01.0 (root port)", with the segment only where there is more than one. */
export const placeText = (fn: FunctionDescription): string => {
  const text = addressText(fn.address);
  return `${fn.address.segment === 0 ? text.slice(5) : text} (${typeText(fn)})`;
};

/**
 * What ACS control registers hold after boot: what firmware left, what the kernel adds because an IOMMU asked for it, what the
 * command line changes, and what was read on the running host where somebody did (ACE-01 .. ACE-12, PCIE-39). When in boot the kernel
 * does it (ACE-04) makes a difference on machines that describe themselves by a device tree (ACE-05).
 */
import type { AcsDescription, FunctionDescription, SubjectId } from '../description.js';
import { addressText, devfnOf } from '../fabric/pci-address.js';
import type { Topology } from '../fabric/topology.js';
import { REDIRECT, requestFor, type AcsParameters } from './acs-parameters.js';
import { ACS, INTEL_PCH, INTEL_SPT, REQUIRED_ACS } from './acs-quirks.js';
import { listsId } from './quirk-ids.js';

/** One function's ACS as the kernel finds it after boot. */
export interface AcsState {
  /** null: no capability. */
  readonly capability: number | null;
  readonly control: number;
  /** ACS_ENABLED_QUIRK: the chipset's own way of isolating is on (AQE-01). */
  readonly quirkEnabled: boolean;
  /** The description does not say whether it has the capability. */
  readonly unknown: boolean;
  /** Where the control bits come from, as the end of a sentence about the port. */
  readonly origin: 'as read on the host' | 'as the kernel sets it at boot' | 'as firmware left it' | 'as the command line sets it';
}

export interface BootAcs {
  stateOf(fn: FunctionDescription): AcsState;
  readonly messages: readonly string[];
}

export interface AcsBootContext {
  readonly parameters: AcsParameters;
  /** Some IOMMU code asked for ACS before the function was set up (ACE-01, ACE-05). */
  readonly requested: (fn: FunctionDescription) => boolean;
  /** The kernel's release, major * 1000 + minor. */
  readonly release: number;
}

/** How config_acs works, by the first release that does it so. */
type ConfigureFormula =
  /** The option does not exist. */
  | 'absent'
  /** ACE-08, ACE-09: the bits decided are put on top of what the kernel has set, and entries before the matching one count too. */
  | 'accumulating'
  /** Bits that are not decided are firmware's. */
  | 'masked';

/** 6.12 is masked because its stable kernels have the repair (seen on 6.12.107); 6.13 and 6.14 were not kept alive long enough. */
const CONFIGURE_FORMULAS: readonly (readonly [since: number, formula: ConfigureFormula])[] = [[0, 'absent'], [6011, 'accumulating'], [6012, 'masked'], [6013, 'accumulating'], [6015, 'masked']];

const formulaOf = (release: number): ConfigureFormula => CONFIGURE_FORMULAS.findLast(([since]) => since <= release)![1];

/** ACE-12: this release ran the quirks only where there is a capability. */
const SKIPS_QUIRKS_WITHOUT_CAPABILITY = 6011;

/** ACS-10: from this release on the broken source validation of two switches is masked out of the capability. */
const MASKS_BROKEN_CAPABILITY = 7000;
const BROKEN_SOURCE_VALIDATION = { vendor: 0x111d, devices: [0x80b5, 0x8090] };

/** ACE-03: translation blocking is never switched on before. */
const BLOCKS_TRANSLATED_SINCE = 5009;

/** Most functions are endpoints with nothing about ACS to remember. */
const NO_CAPABILITY: AcsState = { capability: null, control: 0, quirkEnabled: false, unknown: false, origin: 'as firmware left it' };
const UNKNOWN_CAPABILITY: AcsState = { ...NO_CAPABILITY, unknown: true };

const INTEL = 0x8086;

/** AQE-01: the bridge to the chipset's bus, by which its registers are found. */
const CHIPSET_DEVFN = 0x1f << 3;

const isIntelPch = (fn: FunctionDescription): boolean => fn.ids?.vendor === INTEL && listsId(INTEL_PCH, fn.ids.device);
const isIntelSpt = (fn: FunctionDescription): boolean => fn.ids?.vendor === INTEL && listsId(INTEL_SPT, fn.ids.device);

/** Goes through all functions in the order in which they are found. */
export function bootAcs(topology: Topology, context: AcsBootContext): BootAcs {
  const boot = new AcsBoot(topology, context);
  const states = new Map<SubjectId, AcsState>();
  for (const fn of topology.functions) {
    const state = boot.stateOf(fn);
    if (state !== NO_CAPABILITY) states.set(fn.id, state);
  }
  return { stateOf: (fn) => states.get(fn.id) ?? NO_CAPABILITY, messages: [...context.parameters.messages, ...boot.messages] };
}

/** Functions below an external-facing port: Linux trusts none of them (DOM-22). */
export function untrustedFunctions(topology: Topology): ReadonlySet<SubjectId> {
  const untrusted = new Set<SubjectId>();
  if (!topology.functions.some((fn) => fn.externalFacing)) return untrusted;
  for (const fn of topology.functions) {
    const above = topology.upstream(fn);
    if (above !== null && (above.externalFacing || untrusted.has(above.id))) untrusted.add(fn.id);
  }
  return untrusted;
}

class AcsBoot {
  readonly messages: string[] = [];
  private readonly untrusted: ReadonlySet<SubjectId>;
  private readonly formula: ConfigureFormula;

  constructor(
    private readonly topology: Topology,
    private readonly context: AcsBootContext,
  ) {
    this.untrusted = untrustedFunctions(topology);
    this.formula = formulaOf(context.release);
  }

  stateOf(fn: FunctionDescription): AcsState {
    return fn.acs === 'unknown' || fn.acs === 'none' ? this.withoutCapability(fn) : this.withCapability(fn, { ...fn.acs, capability: this.repaired(fn, fn.acs.capability) });
  }

  private withCapability(fn: FunctionDescription, acs: AcsDescription): AcsState {
    const state = (control: number, origin: AcsState['origin']): AcsState => ({ capability: acs.capability, control, origin, quirkEnabled: false, unknown: false });
    if (isIntelSpt(fn)) return state(this.sptControl(fn, acs), 'as the kernel sets it at boot');
    if (acs.control !== undefined) return state(acs.control, 'as read on the host');
    const enabled = this.standardControl(fn, acs);
    const configured = this.configured(fn, acs, enabled);
    if (configured !== null) return state(configured, 'as the command line sets it');
    return state(enabled, this.context.requested(fn) ? 'as the kernel sets it at boot' : 'as firmware left it');
  }

  private say(fn: FunctionDescription, text: string): void {
    this.messages.push(`pci ${addressText(fn.address)}: ${text}`);
  }

  /** AQE-01: the chipset's registers are taken to be there, and to allow the workaround, unless the description says that they are not. */
  private chipsetRegistersOf(fn: FunctionDescription): boolean {
    return this.topology.bus(fn).functions.find((other) => devfnOf(other.address) === CHIPSET_DEVFN)?.chipsetRegisters !== false;
  }

  private withoutCapability(fn: FunctionDescription): AcsState {
    const quirkRuns = this.context.requested(fn) && isIntelPch(fn) && this.context.release !== SKIPS_QUIRKS_WITHOUT_CAPABILITY;
    const quirkEnabled = quirkRuns && this.chipsetRegistersOf(fn);
    if (quirkRuns) this.say(fn, quirkEnabled ? 'Intel PCH root port ACS workaround enabled' : 'Failed to enable Intel PCH ACS quirk');
    const { disableRedirect } = this.context.parameters;
    if (fn.acs === 'none' && requestFor(this.topology, fn, disableRedirect)) this.say(fn, 'cannot disable ACS redirect for this hardware as it does not have ACS capabilities');
    const state = fn.acs === 'unknown' ? UNKNOWN_CAPABILITY : NO_CAPABILITY;
    return quirkEnabled ? { ...state, quirkEnabled } : state;
  }

  /** ACS-10. */
  private repaired(fn: FunctionDescription, capability: number): number {
    const broken = this.context.release >= MASKS_BROKEN_CAPABILITY && fn.ids?.vendor === BROKEN_SOURCE_VALIDATION.vendor && BROKEN_SOURCE_VALIDATION.devices.includes(fn.ids.device);
    if (!broken || (capability & ACS.SV) === 0) return capability;
    this.say(fn, 'Disabling broken ACS SV; downstream device isolation reduced');
    return capability & ~ACS.SV;
  }

  /** What the kernel adds to firmware's bits; EC and DT never (ACE-02, ACE-03). */
  private standardControl(fn: FunctionDescription, acs: AcsDescription): number {
    if (!this.context.requested(fn)) return acs.firmwareControl;
    const mayBlock = this.context.release >= BLOCKS_TRANSLATED_SINCE;
    const blocking = mayBlock && (this.context.parameters.noAts || fn.externalFacing || this.untrusted.has(fn.id)) ? ACS.TB : 0;
    return acs.firmwareControl | (acs.capability & (REQUIRED_ACS | blocking));
  }

  /**
   * AQE-02. The register that counts sits behind the one a listing of the capability shows, so that a value read there says nothing.
   */
  private sptControl(fn: FunctionDescription, acs: AcsDescription): number {
    const control = this.standardControl(fn, acs);
    if (this.context.requested(fn)) this.say(fn, 'Intel SPT PCH root port ACS workaround enabled');
    if (!requestFor(this.topology, fn, this.context.parameters.disableRedirect)) return control;
    this.say(fn, 'Intel SPT PCH root port workaround: disabled ACS redirect');
    return control & ~REDIRECT;
  }

  /** What the command line makes of `enabled`; null where it names another function. */
  private configured(fn: FunctionDescription, acs: AcsDescription, enabled: number): number | null {
    const { disableRedirect, configure } = this.context.parameters;
    const redirect = disableRedirect.length === 0 ? null : requestFor(this.topology, fn, disableRedirect);
    if (this.formula === 'absent') return redirect === null ? null : this.withoutRedirect(fn, enabled);
    const asked = configure.length === 0 ? null : requestFor(this.topology, fn, configure);
    let control: number | null = null;
    if (redirect !== null) control = this.apply({ mask: REDIRECT, flags: this.formula === 'accumulating' ? ~REDIRECT : 0 }, acs, enabled);
    if (asked !== null) control = this.apply(this.formula === 'accumulating' ? joined([...asked.before, asked.request]) : asked.request, acs, control ?? enabled);
    if (control !== null) this.say(fn, `Configured ACS to 0x${control.toString(16).padStart(4, '0')}`);
    return control;
  }

  /** ACE-06. */
  private withoutRedirect(fn: FunctionDescription, enabled: number): number {
    this.say(fn, 'disabled ACS redirect');
    return enabled & ~REDIRECT;
  }

  /** ACE-08; bits that the port does not implement stay off. */
  private apply({ mask, flags }: Bits, acs: AcsDescription, control: number): number {
    const { firmwareControl: firmware, capability } = acs;
    const value = this.formula === 'accumulating' ? (control & ~mask) | (firmware & mask) | flags : (firmware & ~mask) | (flags & mask);
    return value & (capability | firmware);
  }
}

interface Bits {
  readonly mask: number;
  readonly flags: number;
}

/** ACE-09. */
const joined = (requests: readonly Bits[]): Bits => requests.reduce((sum, { mask, flags }) => ({ mask: sum.mask | mask, flags: sum.flags | flags }), { mask: 0, flags: 0 });

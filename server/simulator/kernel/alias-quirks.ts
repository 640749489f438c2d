/** Devices that are known to use requester IDs that are not their own (section 1.1). Plain data and its look-up. */
import type { FunctionDescription } from '../description.js';
import type { AliasKnowledge } from '../fabric/aliases.js';
import { isPcie } from '../fabric/function-type.js';
import { groupBy } from '../fabric/multimap.js';
import { devfnOf, devfnText } from '../fabric/pci-address.js';
import type { Topology } from '../fabric/topology.js';
import { listsId, type IdEntry } from './quirk-ids.js';

type Devfns = (devfn: number) => readonly number[];

interface DmaAliasQuirk {
  readonly rule: string;
  readonly vendor: number;
  readonly devices: readonly IdEntry[];
  readonly subsystems?: readonly (readonly [vendor: number, device: number])[];
  /** Other devfns used by the function at `devfn`. */
  readonly devfns: Devfns;
}

const slot = (device: number, fn: number): number => (device << 3) | fn;
const sameSlot = (fn: number): Devfns => (devfn) => ((devfn & 7) === fn ? [] : [(devfn & ~7) | fn]);
const fixed = (devfns: readonly number[]): Devfns => () => devfns;

const ALL_DEVFNS = Array.from({ length: 256 }, (_, devfn) => devfn);

/**
 * The Switchtec non-transparent bridges of ALQ-08 are not here: they take their aliases from a table of their own that a description
 * does not hold (it can name them with `alias`).
 */
const DMA_ALIAS_QUIRKS: readonly DmaAliasQuirk[] = [
  { rule: 'ALQ-01', vendor: 0x1180, devices: [0xe832, 0xe476], devfns: sameSlot(0) },
  { rule: 'ALQ-01', vendor: 0x6766, devices: [0x3d40, 0x3d41], devfns: sameSlot(0) },
  {
    rule: 'ALQ-02', vendor: 0x1b4b, devfns: sameSlot(1),
    devices: [0x9120, 0x9123, 0x9125, 0x9128, 0x9130, 0x9170, 0x9172, 0x917a, 0x9182, 0x9183, 0x91a0, 0x9215, 0x9220, 0x9230, 0x9235],
  },
  { rule: 'ALQ-02', vendor: 0x1103, devices: [0x0642, 0x0645], devfns: sameSlot(1) },
  { rule: 'ALQ-02', vendor: 0x197b, devices: [0x2392], devfns: sameSlot(1) },
  { rule: 'ALQ-02', vendor: 0x1c28, devices: [0x0122], devfns: sameSlot(1) },
  { rule: 'ALQ-03', vendor: 0x9005, devices: [0x0285], subsystems: [[0x9005, 0x02bb], [0x9005, 0x02bc]], devfns: fixed([slot(1, 0)]) },
  { rule: 'ALQ-05', vendor: 0x8086, devices: [0x2260, 0x2264], devfns: fixed([slot(0x10, 0), slot(0x11, 0), slot(0x12, 3)]) },
  { rule: 'ALQ-06', vendor: 0x8086, devices: [0x2954, 0x2955, 0x2956, 0x2958, 0x2959, 0x295a], devfns: fixed(ALL_DEVFNS.filter((devfn) => (devfn & 7) <= 4)) },
  { rule: 'ALQ-07', vendor: 0x10b5, devices: [0x87b0, 0x87b1], devfns: fixed(ALL_DEVFNS) },
];

/** Conventional bridges that put the number of the bus below in place, as a PCIe-to-PCI bridge does (ALQ-04). */
const PCIE_BRIDGE_ALIAS: readonly (readonly [vendor: number, device: number])[] = [[0x1b21, 0x1080], [0x10e3, 0x8113], [0x1283, 0x8892], [0x1283, 0x8893], [0x8086, 0x244e]];

/** Bridges with the translation unit below them (ALQ-10, ALI-06). */
const TRANSLATION_BELOW: readonly (readonly [vendor: number, device: number])[] = [[0x14e4, 0x9000], [0x14e4, 0x9084]];

const isListed = (fn: FunctionDescription, list: readonly (readonly [vendor: number, device: number])[]): boolean =>
  fn.ids !== undefined && list.some(([vendor, device]) => fn.ids!.vendor === vendor && fn.ids!.device === device);

const QUIRKS_BY_VENDOR = groupBy(DMA_ALIAS_QUIRKS, ({ vendor }) => vendor);

function quirkFor({ ids }: FunctionDescription): DmaAliasQuirk | undefined {
  if (ids === undefined) return undefined;
  return QUIRKS_BY_VENDOR.get(ids.vendor)?.find((quirk) => listsId(quirk.devices, ids.device)
    && (quirk.subsystems?.some(([vendor, device]) => vendor === ids.subsystemVendor && device === ids.subsystemDevice) ?? true));
}

const NOTHING: readonly number[] = [];
const LAST_DEVFN = 0xff;

/** What Linux knows of the functions of one host; what firmware or the description adds (ALQ-09) counts like a quirk. */
export class KernelAliases implements AliasKnowledge {
  /** Of functions that have aliases. */
  private readonly known = new Map<FunctionDescription, readonly number[]>();

  /** `all256`: before 5.6 the last devfn of a bus was never looked at. */
  constructor(
    private readonly topology: Topology,
    private readonly all256 = true,
  ) {}

  devfns(fn: FunctionDescription): readonly number[] {
    const quirk = quirkFor(fn);
    if (quirk === undefined && fn.extraAliases.length === 0) return NOTHING;
    let devfns = this.known.get(fn);
    if (devfns === undefined) this.known.set(fn, (devfns = this.find(fn, quirk)));
    return devfns;
  }

  /** ALQ-04: only where the bridge is below a PCIe bridge that does not do it already. */
  aliasesAsPcieBridge(bridge: FunctionDescription): boolean {
    if (isPcie(bridge) !== false || !isListed(bridge, PCIE_BRIDGE_ALIAS)) return false;
    const above = this.topology.upstream(bridge);
    return above !== null && isPcie(above) === true && above.type !== 'pcie-to-pci-bridge';
  }

  translatesBelow(bridge: FunctionDescription): boolean {
    return isListed(bridge, TRANSLATION_BELOW);
  }

  /** The boot line about a quirk; null where there is none (ALI-13). */
  message(fn: FunctionDescription): string | null {
    const devfns = quirkFor(fn)?.devfns(devfnOf(fn.address)) ?? NOTHING;
    if (devfns.length === 0) return null;
    if (devfns.length === ALL_DEVFNS.length) return `Enabling fixed DMA alias for devfn range from ${devfnText(0)} to ${devfnText(0xff)}`;
    return `Enabling fixed DMA alias to ${devfnText(devfns[0]!)}`;
  }

  private find(fn: FunctionDescription, quirk: DmaAliasQuirk | undefined): readonly number[] {
    const devfns = quirk?.devfns(devfnOf(fn.address)) ?? NOTHING;
    const all = fn.extraAliases.length === 0 ? devfns : [...new Set([...devfns, ...fn.extraAliases])].sort((a, b) => a - b);
    return this.all256 ? all : all.filter((devfn) => devfn !== LAST_DEVFN);
  }
}

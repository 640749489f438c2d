/** What a kernel log says about a host: version, memory map, IOMMU units, groups, PCI functions as enumerated. */
import type { FunctionType, KernelDescription } from '../simulator/description.js';
import { ADDRESS_MAX, physical, type AddressRange } from '../simulator/memory/address.js';
import { relevantCommandLine } from './command-line.js';
import { busesOf, emptyFunction, MAX_GROUP, wholeNumber, type FunctionFacts, type HostFacts, type UnitFacts } from './facts.js';
import { formatAddress, parseAddress } from './pci-address.js';

/** What the log adds to a host: facts by function address, the rest as in `HostFacts`. */
export interface DmesgFacts {
  readonly host: Pick<HostFacts, 'cpuVendor' | 'cpu' | 'kernelVersion' | 'commandLine' | 'defaultDomain' | 'memory' | 'units' | 'reserved' | 'addressWidth' | 'interruptRemapping'>;
  readonly functions: ReadonlyMap<string, FunctionFacts>;
}

/** One log being read. */
class Log {
  readonly host: DmesgFacts['host'] = { cpuVendor: 'unknown', memory: [], units: [], reserved: [] };
  readonly functions = new Map<string, FunctionFacts>();
  readonly drhd: { readonly base: bigint; readonly rest: boolean }[] = [];

  function(text: string): FunctionFacts | null {
    const address = parseAddress(text);
    if (address === null) return null;
    const name = formatAddress(address);
    const known = this.functions.get(name) ?? emptyFunction(address);
    this.functions.set(name, known);
    return known;
  }

  /** A later line about the same unit adds to what is known. */
  unit(facts: UnitFacts): void {
    const at = this.host.units.findIndex((unit) => unit.name === facts.name);
    if (at < 0) this.host.units.push(facts);
    else this.host.units[at] = { ...this.host.units[at]!, ...facts };
  }
}

const BDF = '((?:[0-9a-f]{4,8}:)[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7])';
const pattern = (text: string): RegExp => new RegExp(text.replace('BDF', BDF));

/** Lines by what they contain: time stamps and host names before it do not matter. */
const LINES: readonly (readonly [RegExp, (log: Log, match: RegExpExecArray) => void])[] = [
  [/Linux version (\d\S*)/, (log, match) => { log.host.kernelVersion ??= match[1]!; }],
  [/[Cc]ommand line: (.*)$/, (log, match) => { log.host.commandLine ??= relevantCommandLine(match[1]!); }],
  [/BIOS-e820: \[mem 0x([0-9a-f]+)-0x([0-9a-f]+)\] usable/, (log, match) => push(log.host.memory, match)],
  [/DMAR: Host address width (\d+)/, (log, match) => { log.host.addressWidth = Number(match[1]); }],
  [/DMAR: DRHD base: 0x([0-9a-f]+) flags: 0x([0-9a-f]+)/i, (log, match) => { log.drhd.push({ base: BigInt(`0x${match[1]}`), rest: (parseInt(match[2]!, 16) & 1) === 1 }); }],
  [/DMAR: (dmar\d+): reg_base_addr ([0-9a-f]+) ver \S+ cap ([0-9a-f]+) ecap ([0-9a-f]+)/, readDmarUnit],
  [/DMAR: RMRR base: 0x([0-9a-f]+) end: 0x([0-9a-f]+)/i, (log, match) => push(log.host.reserved, match)],
  [/DMAR-IR: Enabled IRQ remapping|AMD-Vi: Interrupt remapping enabled/, (log) => { log.host.interruptRemapping = true; }],
  [pattern('AMD-Vi: Found IOMMU(?: at)? ?BDF'), readAmdUnit],
  [pattern('BDF: AMD-Vi: Found IOMMU'), readAmdUnit],
  [/AMD-Vi: (?:Using global IVHD EFR:|Extended features \()0x([0-9a-f]+)/, readAmdFeatures],
  [/arm-smmu-v3 (\S+): ias (\d+)-bit, oas (\d+)-bit/, (log, match) => log.unit({ name: match[1]!, architecture: 'smmuv3', rest: true })],
  [/iommu: Default domain type: (.*)$/, (log, match) => { log.host.defaultDomain ??= match[1]!.trim(); }],
  [pattern('BDF: Adding to iommu group (\\d+)'), readGroup],
  [pattern('Adding device BDF to group (\\d+)'), readGroup],
  [pattern('BDF: \\[([0-9a-f]{4}):([0-9a-f]{4})\\] type ([0-9a-f]{2}) class 0x([0-9a-f]{6})(?: (.*))?$'), readFunction],
  [pattern('BDF: PCI bridge to \\[bus ([0-9a-f]{2})(?:-([0-9a-f]{2}))?\\]'), readBridge],
  [pattern('BDF: vgaarb: setting as boot VGA device'), (log, match) => change(log, match, (facts) => { facts.bootVga = true; })],
  [/CPU0: (Intel|AMD)\b(.*)$/, readCpu],
  [/CPU0: (Hygon|Genuine)\b(.*)$/, readCpu],
];

/** @param text as `cleanText` leaves it. */
export function readDmesg(text: string): DmesgFacts {
  const log = new Log();
  for (const line of text.split('\n')) {
    for (const [regexp, read] of LINES) {
      const match = regexp.exec(line);
      if (match !== null) read(log, match);
    }
  }
  return { host: log.host, functions: log.functions };
}

function push(ranges: AddressRange[], match: RegExpExecArray): void {
  const [start, last] = [BigInt(`0x${match[1]}`), BigInt(`0x${match[2]}`)];
  if (start > last || last > ADDRESS_MAX || ranges.some((range) => range.start === start)) return;
  ranges.push({ start: physical(start), last: physical(last) });
}

function change(log: Log, match: RegExpExecArray, apply: (facts: FunctionFacts) => void): void {
  const facts = log.function(match[1]!);
  if (facts !== null) apply(facts);
}

/** The units are numbered in the order of their DRHDs; the base ties the two lines together. */
function readDmarUnit(log: Log, match: RegExpExecArray): void {
  const base = BigInt(`0x${match[2]}`);
  log.unit({
    name: match[1]!, architecture: 'vtd', rest: log.drhd.find((unit) => unit.base === base)?.rest,
    capability: BigInt(`0x${match[3]}`), extendedCapability: BigInt(`0x${match[4]}`),
  });
}

/** AMD units are PCI functions; Linux numbers them in the order of the IVRS, the order of these lines. */
function readAmdUnit(log: Log, match: RegExpExecArray): void {
  const address = parseAddress(match[1]!);
  if (address === null) return;
  const count = log.host.units.filter((unit) => unit.architecture === 'amd-vi').length;
  log.unit({ name: `ivhd${count}`, architecture: 'amd-vi', segment: address.segment });
}

function readAmdFeatures(log: Log, match: RegExpExecArray): void {
  const features = BigInt(`0x${match[1]}`);
  if (!log.host.units.some((unit) => unit.architecture === 'amd-vi')) log.unit({ name: 'ivhd0', architecture: 'amd-vi' });
  log.host.units = log.host.units.map((unit) => (unit.architecture === 'amd-vi' ? { ...unit, features } : unit));
}

/** The words that kernels since 6.11 add to the enumeration line. */
const TYPE_WORDS: readonly (readonly [string, FunctionType])[] = [
  ['PCIe Root Port', 'root-port'], ['PCIe Switch Upstream Port', 'upstream-port'], ['PCIe Switch Downstream Port', 'downstream-port'],
  ['PCIe Legacy Endpoint', 'legacy-endpoint'], ['PCIe Endpoint', 'endpoint'], ['PCIe Root Complex Integrated Endpoint', 'integrated-endpoint'],
  ['PCIe Root Complex Event Collector', 'event-collector'], ['PCIe to PCI/PCI-X bridge', 'pcie-to-pci-bridge'], ['PCI/PCI-X to PCIe bridge', 'pci-to-pcie-bridge'],
  ['conventional PCI bridge', 'pci-bridge'], ['conventional PCI endpoint', 'pci'], ['conventional PCI', 'pci'],
];

function readGroup(log: Log, match: RegExpExecArray): void {
  change(log, match, (facts) => { facts.group = wholeNumber(Number(match[2]), MAX_GROUP); });
}

function readFunction(log: Log, match: RegExpExecArray): void {
  change(log, match, (facts) => {
    facts.vendor = parseInt(match[2]!, 16);
    facts.device = parseInt(match[3]!, 16);
    facts.bridge = parseInt(match[4]!, 16) === 1;
    facts.classCode = parseInt(match[5]!, 16);
    facts.type = TYPE_WORDS.find(([words]) => match[6]?.startsWith(words))?.[1];
  });
}

function readBridge(log: Log, match: RegExpExecArray): void {
  const secondary = parseInt(match[2]!, 16);
  change(log, match, (facts) => {
    facts.bridge = true;
    facts.buses = busesOf(secondary, match[3] === undefined ? secondary : parseInt(match[3], 16));
  });
}

const VENDORS: Readonly<Record<string, KernelDescription['cpuVendor']>> = { Intel: 'intel', Genuine: 'intel', AMD: 'amd', Hygon: 'other' };

function readCpu(log: Log, match: RegExpExecArray): void {
  if (log.host.cpuVendor !== 'unknown') return;
  log.host.cpuVendor = VENDORS[match[1]!] ?? 'unknown';
  log.host.cpu = `${match[1]}${match[2]}`.replace(/ \(family.*$/, '').trim();
}

/** Import of a real host: from what people paste, or from host facts in JSON, to a description and its `.iommu` text. */
import { relevantCommandLine } from './command-line.js';
import { describeHost, type DescribedHost } from './describe.js';
import { readDmesg, type DmesgFacts } from './dmesg.js';
import type { FunctionFacts, HostFacts } from './facts.js';
import { readGroupsListing } from './groups-listing.js';
import { looksLikeJson, readHostFacts } from './host-facts.js';
import { ImportError } from './import-error.js';
import { readLspci } from './lspci.js';
import { formatAddress } from './pci-address.js';
import { printHost } from './print-host.js';
import { isReserved } from './words.js';

export interface ImportInput {
  /** Output of `lspci -nnvvv` or any other -v form, or host facts in JSON. */
  readonly lspci: string;
  /** A listing of /sys/kernel/iommu_groups in any usual form. */
  readonly groups?: string;
  /** Kernel log. */
  readonly dmesg?: string;
  /** /proc/cmdline. */
  readonly commandLine?: string;
  /** Name of the host in the file; "machine" if not given. */
  readonly name?: string;
}

export interface ImportedHost extends DescribedHost {
  readonly text: string;
}

const DEFAULT_NAME = 'machine';

/** @throws ImportError when `lspci` is neither lspci output nor host facts, or the group listing is none. */
export function importHost(input: ImportInput): ImportedHost {
  const facts = looksLikeJson(input.lspci) ? readHostFacts(input.lspci) : factsOfLspci(input.lspci);
  if (input.dmesg !== undefined) addLog(facts, readDmesg(input.dmesg));
  if (input.groups !== undefined) addGroups(facts, readGroupsListing(input.groups));
  if (input.commandLine !== undefined) facts.commandLine = relevantCommandLine(input.commandLine);
  if (facts.cpuVendor === 'unknown') facts.cpuVendor = vendorOfFunctions(facts.functions);
  const described = describeHost(facts, safeName(input.name));
  return { text: printHost(described.host, facts, described.notes), ...described };
}

/** A name that the language takes: a letter first, then letters, digits and `_`; "lspci" names the input, not the machine. */
function safeName(name: string | undefined): string {
  const safe = (name ?? '').replace(/[^A-Za-z0-9_]+/g, '_').replace(/^[^A-Za-z]+|_+$/g, '');
  return safe === '' || safe === 'lspci' || isReserved(safe) ? DEFAULT_NAME : safe;
}

function factsOfLspci(text: string): HostFacts {
  const functions = readLspci(text);
  if (functions.length === 0) throw new ImportError('neither lspci output nor host facts: no line begins with a PCI address such as "00:1f.0 "', 'lspci', 1);
  return { source: 'lspci', functions, cpuVendor: 'unknown', memory: [], units: [], reserved: [], notes: [] };
}

/** What the log says where lspci was silent; capabilities are lspci's. */
function addLog(facts: HostFacts, log: DmesgFacts): void {
  const { memory, units, reserved, ...rest } = log.host;
  for (const [key, value] of Object.entries(rest)) if (value !== undefined && value !== 'unknown') Object.assign(facts, { [key]: value });
  facts.memory.push(...memory);
  facts.units.push(...units);
  facts.reserved.push(...reserved);
  for (const fn of facts.functions) {
    const logged = log.functions.get(formatAddress(fn.address));
    if (logged !== undefined) fillIn(fn, logged);
  }
}

function fillIn(fn: FunctionFacts, logged: FunctionFacts): void {
  fn.vendor ??= logged.vendor;
  fn.device ??= logged.device;
  fn.classCode ??= logged.classCode;
  fn.type ??= logged.type;
  fn.bridge ??= logged.bridge;
  fn.buses ??= logged.buses;
  fn.group ??= logged.group;
  fn.bootVga ??= logged.bootVga;
  if (fn.acs === 'unknown' && (fn.type === 'pci' || fn.type === 'pci-bridge')) fn.acs = 'none';
}

function addGroups(facts: HostFacts, groups: ReadonlyMap<string, number>): void {
  for (const fn of facts.functions) fn.group = groups.get(formatAddress(fn.address)) ?? fn.group;
  const known = new Set(facts.functions.map((fn) => formatAddress(fn.address)));
  const strangers = [...groups.keys()].filter((address) => !known.has(address));
  if (strangers.length > 0) facts.notes.push(`The group listing names ${strangers.length} functions that lspci does not list: ${strangers.slice(0, 4).join(', ')}${strangers.length > 4 ? ' …' : ''}.`);
}

const HOST_BRIDGE = 0x0600;
const VENDOR_OF_HOST_BRIDGE: Readonly<Record<number, HostFacts['cpuVendor']>> = { 0x8086: 'intel', 0x1022: 'amd', 0x1d94: 'other', 0x1def: 'arm', 0x177d: 'arm', 0x1014: 'other' };

/** The maker of the first host bridge is the maker of the processor. */
function vendorOfFunctions(functions: readonly FunctionFacts[]): HostFacts['cpuVendor'] {
  const bridge = functions.find((fn) => fn.classCode !== undefined && fn.classCode >> 8 === HOST_BRIDGE && VENDOR_OF_HOST_BRIDGE[fn.vendor ?? -1] !== undefined);
  return bridge === undefined ? 'unknown' : VENDOR_OF_HOST_BRIDGE[bridge.vendor!]!;
}

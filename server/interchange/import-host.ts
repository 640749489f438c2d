/** Import of a real host: from what people paste, or from host facts in JSON, to a description and its `.iommu` text. */
import { cleanText, withoutMark } from './clean-text.js';
import { relevantCommandLine } from './command-line.js';
import { describeHost, type DescribedHost } from './describe.js';
import { readDmesg, type DmesgFacts } from './dmesg.js';
import { emptyFunction, type FunctionFacts, type HostFacts } from './facts.js';
import { firstLine, readEmbeddedListing, readListing, type GroupsListing } from './groups-listing.js';
import { looksLikeJson, readHostFacts } from './host-facts.js';
import { ImportError } from './import-error.js';
import { readLspciDump, readTitle } from './lspci.js';
import { compareAddresses, formatAddress, parseAddress } from './pci-address.js';
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
  const source = withoutMark(input.lspci);
  const facts = looksLikeJson(source) ? readHostFacts(source) : factsOfLspci(cleanText(source, 'lspci'));
  if (input.dmesg !== undefined) addLog(facts, readDmesg(cleanText(input.dmesg, 'dmesg')));
  if (input.groups !== undefined) addGroups(facts, readListing(groupsText(input.groups)));
  if (input.commandLine !== undefined) facts.commandLine = relevantCommandLine(cleanText(input.commandLine, 'cmdline'));
  if (facts.cpuVendor === 'unknown') facts.cpuVendor = vendorOfFunctions(facts.functions);
  const described = describeHost(facts, safeName(input.name));
  return { text: printHost(described.host, facts, described.notes), ...described };
}

/** A name that the language takes: a letter first, then letters, digits and `_`; "lspci" names the input, not the machine. */
function safeName(name: string | undefined): string {
  const safe = (name ?? '').replace(/[^A-Za-z0-9_]+/g, '_').replace(/^[^A-Za-z]+|_+$/g, '');
  return safe === '' || safe === 'lspci' || isReserved(safe) ? DEFAULT_NAME : safe;
}

/** XML and JSON have tags and entities of their own. */
const groupsText = (text: string): string => (/^\s*(?:<device>|<\?xml|\[\s*\{)/.test(withoutMark(text)) ? withoutMark(text) : cleanText(text, 'groups'));

function factsOfLspci(text: string): HostFacts {
  if (text.trim() === '') throw new ImportError('there is nothing in it: import the output of "lspci -nnvvv", made as root', 'lspci', 1);
  const { functions, notes } = readLspciDump(text);
  const facts: HostFacts = { source: 'lspci', functions, cpuVendor: 'unknown', memory: [], units: [], reserved: [], notes };
  if (functions.some((fn) => fn.group !== undefined)) return facts;
  const listing = readEmbeddedListing(text);
  if (functions.length === 0) functions.push(...functionsOfListing(listing));
  if (functions.length === 0) throw new ImportError(refusal(text), 'lspci', text.slice(0, text.search(/\S/)).split('\n').length);
  addGroups(facts, listing);
  return facts;
}

/** A listing of groups with what lspci prints of each device shows what there is, though nothing of what it can do. */
function functionsOfListing({ titles }: GroupsListing): FunctionFacts[] {
  return [...titles.keys()].map((name) => emptyFunction(parseAddress(name)!)).sort((a, b) => compareAddresses(a.address, b.address));
}

/** What other outputs look like, and what to do with them. */
const OTHER_OUTPUTS: readonly (readonly [RegExp, string])[] = [
  [/^[ \t|\\+-]*-\[[0-9a-f]{4,8}(?::[0-9a-f]{2})?\]-/m, 'this is the tree of "lspci -t", which shows no capabilities: import "lspci -nnvvv", made as root'],
  [/^.*\blspci: (?:command )?not found\b/m, 'lspci is not installed there (its package is pciutils): the file holds only the shell\'s message'],
  [/PCI\\VEN_[0-9A-F]{4}&DEV_/i, 'this is a list of devices made by Windows: start a Linux on that machine and import "lspci -nnvvv", made as root'],
  [/^\S+@pci\d+:\d+:\d+:\d+:/m, 'this is the output of pciconf: start a Linux on that machine and import "lspci -nnvvv", made as root'],
  [/^Bus \d{3} Device \d{3}: ID /m, 'this is the output of lsusb: import "lspci -nnvvv", made as root'],
  [/iommu_groups\/\d+\/devices\/|\biommugroup\b/, 'this is a listing of groups without devices\' names: give it with --groups, and the output of "lspci -nnvvv" as the file to import'],
  [/\bLinux version \d|\bpci 0000:|\bDMAR: |\bAMD-Vi: /, 'this is a kernel log: give it with --dmesg, and the output of "lspci -nnvvv" as the file to import'],
];

function refusal(text: string): string {
  const other = OTHER_OUTPUTS.find(([pattern]) => pattern.test(text))?.[1];
  return other ?? `neither lspci output nor host facts: no line begins with a PCI address such as "00:1f.0 "; the first line is "${firstLine(text)}"`;
}

/** What the log says where lspci was silent; capabilities are lspci's. */
function addLog(facts: HostFacts, log: DmesgFacts): void {
  const { memory, units, reserved, ...rest } = log.host;
  for (const [key, value] of Object.entries(rest)) if (value !== undefined && value !== 'unknown') Object.assign(facts, { [key]: value });
  facts.memory.push(...memory);
  facts.units.push(...units);
  facts.reserved.push(...reserved);
  const silent = log.functions.size === 0 && Object.values(log.host).every((value) => value === undefined || value === 'unknown' || (Array.isArray(value) && value.length === 0));
  if (silent) facts.notes.push('The kernel log has no line about the kernel, memory, IOMMUs or PCI functions: nothing was taken from it.');
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

function addGroups(facts: HostFacts, { groups, titles, twice }: GroupsListing): void {
  for (const fn of facts.functions) {
    const name = formatAddress(fn.address);
    fn.group = groups.get(name) ?? fn.group;
    const title = titles.get(name);
    if (title !== undefined) fillInIdentity(fn, title);
  }
  if (groups.size > 0) noteMissing(facts);
  const known = new Set(facts.functions.map((fn) => formatAddress(fn.address)));
  const strangers = [...groups.keys()].filter((address) => !known.has(address));
  if (strangers.length > 0) facts.notes.push(`The group listing names ${strangers.length} functions that lspci does not list: ${someOf(strangers)}.`);
  if (twice.length > 0) facts.notes.push(`The group listing puts ${twice.length} functions into more than one group (${someOf(twice)}): it shows more than one state of the machine. The first group of each is taken; import one listing to compare.`);
}

/**
 * People paste the part of a listing that they ask about. Of a whole one a few functions are missing, those without a group; if it is more
 * than half of them, the listing is a part, and says nothing of the rest.
 */
function noteMissing(facts: HostFacts): void {
  const missing = facts.functions.filter((fn) => fn.group === undefined);
  if (missing.length * 2 <= facts.functions.length) return;
  for (const fn of missing) fn.groupNotShown = true;
  facts.notes.push(`The group listing names only ${facts.functions.length - missing.length} of ${facts.functions.length} functions: it is taken for a part of one.`);
}

const someOf = (names: readonly string[]): string => `${names.slice(0, 4).join(', ')}${names.length > 4 ? ' …' : ''}`;

/** Listings often have the ids that a dump without -nn lacks. */
function fillInIdentity(fn: FunctionFacts, title: string): void {
  const told = emptyFunction(fn.address);
  readTitle(told, title);
  fn.classCode ??= told.classCode;
  fn.label ??= told.label;
  if (told.vendor === undefined || (fn.vendor !== undefined && fn.vendor !== told.vendor)) return;
  fn.vendor = told.vendor;
  fn.device ??= told.device;
}

const HOST_BRIDGES: ReadonlySet<number> = new Set([0x0600]);
const VENDOR_OF_HOST_BRIDGE: Readonly<Record<number, HostFacts['cpuVendor']>> = { 0x8086: 'intel', 0x1022: 'amd', 0x1d94: 'other', 0x1def: 'arm', 0x177d: 'arm', 0x1014: 'other' };

/** What the maker of the processor or its chipset puts on bus 0: bridges, SMBus. */
const CHIPSET: ReadonlySet<number> = new Set([0x0601, 0x0604, 0x0c05]);

/** The maker of the first host bridge is the maker of the processor; where the dump has none, of what else is part of the chipset. */
function vendorOfFunctions(functions: readonly FunctionFacts[]): HostFacts['cpuVendor'] {
  const isOf = (fn: FunctionFacts, classes: ReadonlySet<number>): boolean => fn.classCode !== undefined && classes.has(fn.classCode >> 8) && VENDOR_OF_HOST_BRIDGE[fn.vendor ?? -1] !== undefined;
  const told = functions.find((fn) => isOf(fn, HOST_BRIDGES)) ?? functions.find((fn) => fn.address.segment === 0 && fn.address.bus === 0 && isOf(fn, CHIPSET));
  return told === undefined ? 'unknown' : VENDOR_OF_HOST_BRIDGE[told.vendor!]!;
}

/**
 * Reads `lspci -v`, `-vv` or `-vvv` output, with or without numeric ids (`-n`, `-nn`), domains (`-D`), drivers (`-k`) and
 * hex dumps (`-x` …), as root or not; and the forms for machines (`-mm`, `-vmm`).
 */
import { ADDRESS_MAX, physical, type AddressRange, type PhysicalAddress } from '../simulator/memory/address.js';
import { readConfigSpace } from './config-space.js';
import { busesOf, emptyFunction, MAX_GROUP, wholeNumber, type FunctionFacts } from './facts.js';
import { ACCESS_DENIED, readCapability } from './lspci-capabilities.js';
import { lspciBlocks, type LspciBlock, type LspciProperty } from './lspci-blocks.js';
import { hasRecords, readLspciRecords } from './lspci-records.js';
import { compareAddresses, formatAddress } from './pci-address.js';
import { classByName, vendorByName } from './pci-class.js';
import { deviceByName } from './device-names.js';

/** What a dump says, and what is wrong with it. */
export interface LspciDump {
  /** By address, each once. */
  readonly functions: FunctionFacts[];
  readonly notes: string[];
}

/** `text` as `cleanText` leaves it. */
export function readLspciDump(text: string): LspciDump {
  if (hasRecords(text)) return { functions: readLspciRecords(text), notes: [] };
  const all = lspciBlocks(text);
  const { blocks, notes } = uniqueBlocks(all);
  const showsDrivers = blocks.some((block) => block.properties.some((property) => property.text.startsWith('Kernel driver in use')));
  /* Where nothing but capabilities is shown, somebody chose the lines. */
  const whole = blocks.some((block) => shows(block, VERBOSE));
  const isVerbose = (block: LspciBlock): boolean => shows(block, VERBOSE) || (whole && shows(block, CAPABILITY));
  const cut = blocks.filter((block) => block.cut);
  if (cut.length > 0) notes.push(`Something is missing in the dump: ${placesOf(cut)}. What is not shown there is taken as unknown.`);
  const functions = blocks.map((block) => readBlock(block, isVerbose(block), showsDrivers)).sort((a, b) => compareAddresses(a.address, b.address));
  return { functions, notes };
}

/** Functions by address. */
export const readLspci = (text: string): FunctionFacts[] => readLspciDump(text).functions;

/**
 * A post may list a function twice: in short first, in full below. The fullest listing counts, with a title that has the ids if any has;
 * of several that are as full the first.
 */
function uniqueBlocks(all: readonly LspciBlock[]): { blocks: LspciBlock[]; notes: string[] } {
  const seen = new Map<string, LspciBlock>();
  const differ: LspciBlock[] = [];
  for (const block of all) {
    const name = formatAddress(block.address);
    const known = seen.get(name);
    if (known === undefined) seen.set(name, block);
    else {
      if (isAnother(known, block)) differ.push(block);
      seen.set(name, fullest(known, block));
    }
  }
  const notes = differ.length === 0 ? [] : [`The dump seems to hold more than one machine, or one before and after a change: ${placesOf(differ)} is another device than what it has at this address before.`];
  return { blocks: [...seen.values()], notes };
}

const fullest = (known: LspciBlock, block: LspciBlock): LspciBlock => {
  if (block.properties.length <= known.properties.length && hasIds(known.title) >= hasIds(block.title) && block.hex.length === 0) return known;
  const [full, other] = block.properties.length > known.properties.length ? [block, known] : [known, block];
  return { ...full, title: hasIds(full.title) || !hasIds(other.title) ? full.title : other.title, hex: full.hex.length > 0 ? full.hex : other.hex };
};

const IDS = /\[([0-9a-f]{4}:[0-9a-f]{4})\]/i;
const hasIds = (title: string): boolean => IDS.test(title) || NUMERIC_TITLE.test(title);
const isAnother = (a: LspciBlock, b: LspciBlock): boolean => IDS.test(a.title) && IDS.test(b.title) && IDS.exec(a.title)![1]!.toLowerCase() !== IDS.exec(b.title)![1]!.toLowerCase();

const placesOf = (blocks: readonly LspciBlock[]): string =>
  blocks.slice(0, 4).map(({ address, line }) => `${formatAddress(address)} (line ${line})`).join(', ') + (blocks.length > 4 ? ` and ${blocks.length - 4} more` : '');

function readBlock(block: LspciBlock, verbose: boolean, showsDrivers: boolean): FunctionFacts {
  const facts = emptyFunction(block.address);
  readTitle(facts, block.title);
  if (showsDrivers) facts.driver = null;
  if (verbose && capabilitiesShown(block)) assumeNone(facts);
  for (const property of block.properties) readProperty(facts, property);
  readRegions(facts, block.properties);
  if (block.hex.length > 0) readConfigSpace(facts, block.hex);
  forgetIfFiltered(facts, block);
  settleType(facts);
  if (facts.group === undefined && (block.cut || !verbose)) facts.groupNotShown = true;
  return facts;
}

/** What `lspci -v`, `-vv` … print and `-k` does not. */
const VERBOSE = /^(?:Flags:|Control:|Status:|Bus: primary|IOMMU group:|Latency:|Interrupts?:|Region \d:|Memory at |I\/O ports at )/;

const shows = ({ properties }: LspciBlock, pattern: RegExp): boolean => properties.some(({ text }) => pattern.test(text));
const CAPABILITY = /^Capabilities:/;

/** A function that sleeps or fell off the bus answers nothing: "!!! Unknown header type 7f". */
const NO_ANSWER = /^!!!/;

/** The function has a list of capabilities (bit 4 of the status register). */
const HAS_LIST = /^Status: Cap\+/;

/**
 * A verbose block lists every capability, unless access was denied, the function did not answer, or part of the block is missing: as it is
 * where the status tells of a list and none is there (somebody filtered the lines).
 */
function capabilitiesShown(block: LspciBlock): boolean {
  if (block.cut || shows(block, NO_ANSWER) || block.properties.some(({ text }) => text.includes(ACCESS_DENIED))) return false;
  return !shows(block, HAS_LIST) || shows(block, CAPABILITY);
}

/** Every capability is listed: those that do not occur are not there. No PCIe capability means conventional PCI. */
function assumeNone(facts: FunctionFacts): void {
  Object.assign(facts, { type: 'pci', acs: 'none', ari: false, ats: false, pri: false, pasid: 'none', msi: false });
}

/** Only PCI Express has capabilities beyond 256 bytes, which lspci prints with their version: the one that says so was filtered out. */
const EXTENDED = /^Capabilities: \[[0-9a-f]{3} v\d/;

function forgetIfFiltered(facts: FunctionFacts, { properties }: LspciBlock): void {
  if (facts.type !== 'pci' || !properties.some(({ text }) => EXTENDED.test(text))) return;
  facts.type = undefined;
  if (facts.acs === 'none') facts.acs = 'unknown';
}

/** A bridge is known by its `Bus:` line or class; only then does "not PCIe" mean a conventional bridge. */
function settleType(facts: FunctionFacts): void {
  facts.bridge ??= facts.classCode === undefined ? undefined : facts.classCode >> 8 === BRIDGE_CLASS;
  if (facts.type === 'pci' && facts.bridge === true) facts.type = 'pci-bridge';
}

const BRIDGE_CLASS = 0x0604;
/** All ones: what reads of a function return that does not answer. */
const NOT_ANSWERED = '(rev ff)';
const NUMERIC_TITLE = /^([0-9a-f]{4}): ([0-9a-f]{4}):([0-9a-f]{4})\b/i;
/** `lspci -mm`: class, vendor, device, each in quotes and with its number if `-nn` asked for it. */
const QUOTED_TITLE = /^"([^"]*)" "([^"]*)" "([^"]*)"/;
const NAMED_TITLE = /^([^:]*?)(?: \[([0-9a-f]{4})\])?: (.*)$/i;

/** Class, ids and name from what follows the address. */
export function readTitle(facts: FunctionFacts, written: string): void {
  const title = written.replace(QUOTED_TITLE, (_, ...parts: string[]) => unquoted(parts[0]!, parts[1]!, parts[2]!));
  const progIf = title.includes(NOT_ANSWERED) ? 0 : parseInt(/\(prog-if ([0-9a-f]{2})\b/i.exec(title)?.[1] ?? '0', 16);
  const numeric = NUMERIC_TITLE.exec(title);
  if (numeric !== null) {
    facts.classCode = (parseInt(numeric[1]!, 16) << 8) | progIf;
    facts.vendor = parseInt(numeric[2]!, 16);
    facts.device = parseInt(numeric[3]!, 16);
    return;
  }
  const named = NAMED_TITLE.exec(title);
  if (named === null) return;
  const classNumber = named[2] === undefined ? classByName(named[1]!) : parseInt(named[2], 16);
  if (classNumber !== undefined) facts.classCode = (classNumber << 8) | progIf;
  readName(facts, named[3]!);
}

const NUMBER = / \[([0-9a-f]{4})\]$/i;

/** As the title would be without `-mm`. */
function unquoted(className: string, vendor: string, device: string): string {
  const [vendorId, deviceId] = [NUMBER.exec(vendor)?.[1], NUMBER.exec(device)?.[1]];
  const ids = vendorId === undefined || deviceId === undefined ? '' : ` [${vendorId}:${deviceId}]`;
  return `${className}: ${vendor.replace(NUMBER, '')} ${device.replace(NUMBER, '')}${ids}`;
}

/** "Intel Corporation Device a700 [8086:a700] (rev 01)". Without numbers the vendor's name and "Device a700" say what they can. */
function readName(facts: FunctionFacts, name: string): void {
  const numbers = /\[([0-9a-f]{4}):([0-9a-f]{4})\]/i.exec(name);
  facts.vendor = numbers === null ? vendorByName(name) : parseInt(numbers[1]!, 16);
  const device = numbers?.[2] ?? /^(?:.*? )?Device ([0-9a-f]{4})(?= |$)/.exec(name)?.[1];
  facts.device = device === undefined ? deviceByName(facts.vendor, name) : parseInt(device, 16);
  facts.label = name.replace(/ ?\[[0-9a-f]{4}:[0-9a-f]{4}\]/i, '').replace(/ \((?:rev|prog-if) .*$/, '').trim();
}

type PropertyReader = (facts: FunctionFacts, match: RegExpExecArray, property: LspciProperty) => void;

/** Each property by its beginning; several may read one line. */
const PROPERTIES: readonly (readonly [RegExp, PropertyReader])[] = [
  [/^Capabilities: (?!<)/, (facts, _, property) => readCapability(facts, property)],
  [/\bIOMMU group:? (\d+)/, (facts, match) => { facts.group = wholeNumber(Number(match[1]), MAX_GROUP); }],
  [/^Kernel driver in use: (\S+)/, (facts, match) => { facts.driver = match[1]!; }],
  [/^Subsystem:.*\[([0-9a-f]{4}):([0-9a-f]{4})\]$/i, readSubsystem],
  [/^Subsystem: ([0-9a-f]{4}):([0-9a-f]{4})$/i, readSubsystem],
  [/^Bus: primary=[0-9a-f]{2}, secondary=([0-9a-f]{2}), subordinate=([0-9a-f]{2})/i, readBuses],
  [/^(?:\[virtual\] )?Expansion ROM at ([0-9a-f]+)/i, readRom],
  [/^(Prefetchable m|M)emory behind bridge: ([0-9a-f]+)-([0-9a-f]+)/i, readWindow],
];

function readProperty(facts: FunctionFacts, property: LspciProperty): void {
  for (const [pattern, read] of PROPERTIES) {
    const match = pattern.exec(property.text);
    if (match !== null) read(facts, match, property);
  }
}

function readSubsystem(facts: FunctionFacts, match: RegExpExecArray): void {
  facts.subsystemVendor = parseInt(match[1]!, 16);
  facts.subsystemDevice = parseInt(match[2]!, 16);
}

function readBuses(facts: FunctionFacts, match: RegExpExecArray): void {
  facts.bridge = true;
  facts.buses = busesOf(parseInt(match[1]!, 16), parseInt(match[2]!, 16));
}

const REGION = /^(?:Region (\d): )?(?:\[virtual\] )?(?:Memory|I\/O ports) at /;

/** `-v` prints regions without their number: then they are counted, and one of 64 bits takes two. */
function readRegions(facts: FunctionFacts, properties: readonly LspciProperty[]): void {
  let next = 0;
  for (const { text } of properties) {
    const region = REGION.exec(text);
    if (region === null) continue;
    const index = region[1] === undefined ? next : Number(region[1]);
    next = index + (text.includes('64-bit') ? 2 : 1);
    const memory = /Memory at ([0-9a-f]+) \(([^)]*)\)/i.exec(text);
    if (memory !== null && index <= 5) addBar(facts, index, memory[1]!, text, /(^|, )prefetchable/.test(memory[2]!));
  }
}

function readRom(facts: FunctionFacts, match: RegExpExecArray, property: LspciProperty): void {
  if (!property.text.includes('[disabled]')) addBar(facts, 6, match[1]!, property.text, false);
}

const UNITS: Readonly<Record<string, bigint>> = { '': 1n, K: 1n << 10n, M: 1n << 20n, G: 1n << 30n, T: 1n << 40n };

/** A BAR decodes a power of two, at a multiple of it; what does not is a damaged line. */
function addBar(facts: FunctionFacts, index: number, start: string, text: string, prefetchable: boolean): void {
  const size = /\[size=(\d+)([KMGT]?)\]/.exec(text);
  if (size === null || facts.bars.some((bar) => bar.index === index)) return;
  const [address, bytes] = [BigInt(`0x${start}`), BigInt(size[1]!) * UNITS[size[2]!]!];
  const range = addressRange(address, address + bytes - 1n);
  const decodes = (bytes & (bytes - 1n)) === 0n && (address & (bytes - 1n)) === 0n;
  if (range !== null && decodes) facts.bars.push({ index, range, prefetchable });
}

function readWindow(facts: FunctionFacts, match: RegExpExecArray, property: LspciProperty): void {
  const range = addressRange(BigInt(`0x${match[2]}`), BigInt(`0x${match[3]}`));
  if (range !== null && !property.text.includes('[disabled]')) facts.windows.push({ range, prefetchable: match[1]!.startsWith('P') });
}

/** Null for what is no range: inverted, as switched-off windows are, or beyond 64 bits. */
function addressRange(start: bigint, last: bigint): AddressRange<PhysicalAddress> | null {
  return start <= last && last <= ADDRESS_MAX ? { start: physical(start), last: physical(last) } : null;
}

/** A host description as readable `.iommu` text: nested by the tree, the same for the same description. */
import type { AcsDescription, FunctionDescription, FunctionType, HostDescription, IommuDescription, SubjectId } from '../simulator/description.js';
import { sizeOf, type AddressRange } from '../simulator/memory/address.js';
import { acsNames } from './acs-flags.js';
import type { HostFacts } from './facts.js';
import { shortAddress } from './pci-address.js';
import { addressText, quoted, sizeText, wordOrQuoted, wrapped } from './words.js';

const WIDTH = 140;
const STEP = '  ';

const RECORDED = '`group N` is the IOMMU group that the running kernel had put a function in: something to compare with, never an input.';

/** The whole file: a comment about where it came from and what is not known, then the host. */
export function printHost(host: HostDescription, facts: Pick<HostFacts, 'source' | 'cpu' | 'reserved'>, notes: readonly string[]): string {
  const names = new Map<SubjectId, string>(host.functions.map((fn) => [fn.id, fn.name]));
  const children = childrenOf(host.functions);
  const sections = [
    hostLines(host),
    host.iommus.map((unit) => printIommu(unit, names)),
    ...(children.get(null) ?? []).map((fn) => printFunction(fn, STEP, names, children)),
  ].filter((lines) => lines.length > 0);
  return [...header(facts, host.functions.some((fn) => fn.recordedGroup !== undefined) ? [RECORDED, ...notes] : notes), `host ${host.name} {`, ...joinSections(sections), '}', ''].join('\n');
}

/** A blank line between sections, but not between two functions of one line each. */
function joinSections(sections: readonly (readonly string[])[]): string[] {
  return sections.flatMap((lines, index) => (index > 0 && (lines.length > 1 || sections[index - 1]!.length > 1) ? ['', ...lines] : lines));
}

function header(facts: Pick<HostFacts, 'source' | 'cpu' | 'reserved'>, notes: readonly string[]): string[] {
  const origin = `Imported from ${facts.source}${facts.cpu === undefined ? '' : ` of a machine with ${oneLine(facts.cpu)}`}.`;
  const reserved = facts.reserved.map((range) => `Firmware reserves ${addressText(range.start)} .. ${addressText(range.last)} for devices that the log does not name; add \`reserved … direct for DEVICE\` if they matter.`);
  return [origin, ...notes, ...reserved].map((sentence) => `// ${wrapped(oneLine(sentence).split(' '), ' ', '//   ', WIDTH)}`);
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ');

function childrenOf(functions: readonly FunctionDescription[]): Map<SubjectId | null, FunctionDescription[]> {
  const children = new Map<SubjectId | null, FunctionDescription[]>();
  for (const fn of functions) {
    const list = children.get(fn.upstream);
    if (list === undefined) children.set(fn.upstream, [fn]);
    else list.push(fn);
  }
  return children;
}

function hostLines(host: HostDescription): string[] {
  const { kernel } = host;
  const version = kernel.version === '' ? '' : ` ${kernel.version}`;
  const commandLine = kernel.commandLine === '' ? '' : ` cmdline ${quoted(kernel.commandLine)}`;
  const options = kernel.buildOptions.length === 0 ? '' : ` options ${kernel.buildOptions.join(', ')}`;
  return [
    ...(version + commandLine + options === '' ? [] : [`${STEP}kernel${version}${commandLine}${options}`]),
    `${STEP}cpu ${kernel.cpuVendor}`,
    ...(host.memory.length === 0 ? [] : [`${STEP}memory ${wrapped(host.memory.map(rangeText), ', ', `${STEP}       `, WIDTH)}`]),
  ];
}

const rangeText = (range: AddressRange): string => `${addressText(range.start)} .. ${addressText(range.last)}`;

// ------------------------------------------------------------------------------------------------ IOMMU units

type Flag = 'interruptRemapping' | 'coherent' | 'snoopControl' | 'scalableMode' | 'firstStage' | 'nested' | 'dirtyTracking' | 'passThrough' | 'deviceTlb' | 'pageRequests' | 'cachingMode';

/** Flags by property, with what is meant when nothing is written. */
const UNIT_FLAGS: readonly (readonly [Flag, string, boolean])[] = [
  ['interruptRemapping', 'interrupt-remapping', true], ['coherent', 'coherent', true], ['passThrough', 'pass-through', true],
  ['snoopControl', 'snoop-control', false], ['scalableMode', 'scalable-mode', false], ['firstStage', 'first-stage', false], ['nested', 'nested', false],
  ['dirtyTracking', 'dirty-tracking', false], ['deviceTlb', 'ats', false], ['pageRequests', 'pri', false], ['cachingMode', 'caching-mode', false],
];

function printIommu(unit: IommuDescription, names: ReadonlyMap<SubjectId, string>): string {
  const properties = [
    ...(unit.segment === 0 ? [] : [`segment ${unit.segment}`]),
    ...(unit.addressWidth === undefined ? [] : [`address-width ${unit.addressWidth}`]),
    ...(unit.physicalWidth === undefined ? [] : [`physical-width ${unit.physicalWidth}`]),
    ...(unit.levels === undefined ? [] : [`levels ${unit.levels.join(', ')}`]),
    ...(unit.pageSizes === undefined ? [] : [`page-sizes ${unit.pageSizes.map(sizeText).join(', ')}`]),
    ...UNIT_FLAGS.flatMap(([flag, word, usual]) => (unit[flag] === usual ? [] : [usual ? `${word} no` : word])),
    ...(unit.pasidBits === 0 ? [] : [`pasid ${unit.pasidBits}`]),
  ];
  const listed = (ids: readonly SubjectId[]): string => wrapped(ids.map((id) => names.get(id) ?? id), ', ', `${STEP}${STEP}       `, WIDTH);
  const except = unit.except === undefined ? '' : ` except ${listed(unit.except)}`;
  const covers = `covers ${unit.covers === 'rest' ? 'rest' : listed(unit.covers)}${except}`;
  const head = `${STEP}iommu ${unit.name} : ${unit.architecture}`;
  const line = `${head} { ${[...properties, covers].join('  ')} }`;
  if (!line.includes('\n') && line.length <= WIDTH) return line;
  const body = properties.length === 0 ? [] : [`${STEP}${STEP}${wrapped(properties, '  ', `${STEP}${STEP}`, WIDTH)}`];
  return [`${head} {`, ...body, `${STEP}${STEP}${covers}`, `${STEP}}`].join('\n');
}

// ------------------------------------------------------------------------------------------------ functions

/** Keyword, and the type after the name where the keyword does not say it. */
const KINDS: Readonly<Record<FunctionType, readonly [keyword: string, type?: string]>> = {
  endpoint: ['function'], 'legacy-endpoint': ['function', 'legacy'], pci: ['function', 'conventional'], unknown: ['function', 'unknown'],
  'integrated-endpoint': ['integrated'], 'event-collector': ['event-collector'], 'root-port': ['root-port'], 'upstream-port': ['switch'], 'downstream-port': ['port'],
  'pcie-to-pci-bridge': ['bridge', 'pcie-to-pci'], 'pci-to-pcie-bridge': ['bridge', 'pci-to-pcie'], 'pci-bridge': ['bridge', 'pci'],
};

const PCI_BRIDGE_CLASS = 0x0604;

function kindOf(fn: FunctionDescription): readonly [string, string?] {
  if (fn.virtualFunction !== undefined) return ['virtual-function'];
  if (fn.type === 'unknown' && (fn.buses !== undefined || (fn.classCode ?? 0) >> 8 === PCI_BRIDGE_CLASS)) return ['bridge', 'unknown'];
  return KINDS[fn.type];
}

function printFunction(fn: FunctionDescription, indent: string, names: ReadonlyMap<SubjectId, string>, children: ReadonlyMap<SubjectId | null, readonly FunctionDescription[]>): string[] {
  const [keyword, type] = kindOf(fn);
  const of = fn.virtualFunction === undefined ? '' : ` of ${names.get(fn.virtualFunction.of) ?? fn.virtualFunction.of} index ${fn.virtualFunction.index}`;
  const head = `${indent}${keyword} ${fn.name} at ${shortAddress(fn.address)}${type === undefined ? '' : ` : ${type}`}${of}`;
  const groups = [...identity(fn), capabilities(fn, names)].filter((properties) => properties.length > 0);
  const below = (children.get(fn.id) ?? []).map((child) => printFunction(child, indent + STEP, names, children));
  const resources = resourceLines(fn);
  const line = `${head} { ${groups.flat().join('  ')} }`;
  if (groups.length === 0 && below.length + resources.length === 0) return [head];
  if (below.length + resources.length === 0 && line.length <= WIDTH) return [line];
  const inside = indent + STEP;
  return [
    `${head} {`, ...groups.map((properties) => `${inside}${wrapped(properties, '  ', inside, WIDTH)}`), ...resources.map((text) => `${inside}${text}`),
    ...(below.length === 0 ? [] : ['', ...joinSections(below)]), `${indent}}`,
  ];
}

const idPair = (vendor: number, device: number): string => [vendor, device].map((id) => id.toString(16).padStart(4, '0')).join(':');

/** Two lines: the label, and what it is. */
function identity(fn: FunctionDescription): string[][] {
  const { ids } = fn;
  const what = [
    ...(ids === undefined ? [] : [`id ${idPair(ids.vendor, ids.device)}`]),
    ...(ids?.subsystemVendor === undefined || ids.subsystemDevice === undefined ? [] : [`subsystem ${idPair(ids.subsystemVendor, ids.subsystemDevice)}`]),
    ...(fn.classCode === undefined ? [] : [`class ${CLASS_WORDS[fn.classCode] ?? `0x${fn.classCode.toString(16).padStart(6, '0')}`}`]),
    ...(fn.driver === null ? [] : [`driver ${wordOrQuoted(fn.driver)}`]),
    ...(fn.bootVga === true ? ['boot-vga'] : []),
    ...(fn.probed === true ? ['probed'] : []),
    ...(fn.recordedGroup === undefined ? [] : [`group ${fn.recordedGroup}`]),
  ];
  return [fn.label === undefined ? [] : [`label ${quoted(fn.label)}`], what];
}

/** Class codes that have a word in the language. */
const CLASS_WORDS: Readonly<Record<number, string>> = {
  0x030000: 'vga', 0x030200: '3d', 0x038000: 'display', 0x040300: 'audio', 0x040100: 'sound', 0x010802: 'nvme', 0x010601: 'ahci', 0x020000: 'ethernet',
  0x028000: 'network', 0x0c0330: 'xhci', 0x0c0320: 'ehci', 0x0c0340: 'usb4', 0x0c0500: 'smbus', 0x060000: 'host-bridge', 0x060100: 'isa-bridge',
  0x060400: 'pci-bridge', 0x078000: 'communication', 0x088000: 'system-peripheral', 0x108000: 'encryption', 0x118000: 'signal-processing',
  0x130000: 'instrumentation',
};

function capabilities(fn: FunctionDescription, names: ReadonlyMap<SubjectId, string>): string[] {
  return [
    ...acsProperties(fn.acs),
    ...(fn.ats ? ['ats'] : []), ...(fn.pri ? ['pri'] : []), ...(fn.pasidBits === 0 ? [] : [`pasid ${fn.pasidBits}`]), ...(fn.ari ? ['ari'] : []),
    ...(fn.msi ? [] : ['msi no']), ...(fn.functionLevelReset === undefined ? [] : [fn.functionLevelReset ? 'flr' : 'flr no']),
    ...(fn.multifunction === undefined ? [] : [fn.multifunction ? 'multifunction' : 'multifunction no']),
    ...(fn.sriov === undefined ? [] : [`sriov vfs ${fn.sriov.enabled} of ${fn.sriov.total} offset ${fn.sriov.offset} stride ${fn.sriov.stride}`]),
    ...(fn.behindVmd === undefined ? [] : [`behind ${names.get(fn.behindVmd) ?? fn.behindVmd}`]),
    ...(fn.buses === undefined ? [] : [`buses ${busText(fn.buses.secondary)} .. ${busText(fn.buses.subordinate)}`]),
  ];
}

const busText = (bus: number): string => bus.toString(16).padStart(2, '0');

/** No capability is what nothing means; a capability without bits still isolates an endpoint (ACS-08). */
function acsProperties(acs: AcsDescription | 'none' | 'unknown'): string[] {
  if (acs === 'none') return [];
  if (acs === 'unknown') return ['acs unknown'];
  return [`acs ${acs.capability === 0 ? 'empty' : acsNames(acs.capability)}`, ...(acs.control === undefined ? [] : [`acs-control ${acsNames(acs.control)}`])];
}

function resourceLines(fn: FunctionDescription): string[] {
  const prefetchable = (value: boolean): string => (value ? ' prefetchable' : '');
  return [
    ...fn.bars.map((bar) => `bar ${bar.index === 6 ? 'rom' : bar.index} at ${addressText(bar.range.start)} size ${sizeText(sizeOf(bar.range))}${prefetchable(bar.prefetchable)}`),
    ...fn.windows.map((window) => `window ${rangeText(window.range)}${prefetchable(window.prefetchable)}`),
  ];
}

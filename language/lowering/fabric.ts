/**
 * The functions of a host, those that SR-IOV makes included, in the order of enumeration.
 */
import type { AcsDescription, BarDescription, FunctionDescription, SubjectId, Unknown } from '../../server/simulator/description.js';
import type { PhysicalAddress } from '../../server/simulator/memory/address.js';
import * as ast from '../generated/ast.js';
import { amountOf, enabledFunctions, sriovOf } from '../names.js';
import { parseInteger, smallNumber } from '../numbers.js';
import { addressKey, parseDevfn, parseIdPair } from '../pci.js';
import { ACS_BITS, CLASS_CODES } from '../properties.js';
import { rangeOf, span, type Context } from './context.js';
import { layOut, type Slot } from './addresses.js';
import { sriovShape, typeOf } from './functions.js';
import { Properties } from './values.js';

const U16 = 0xffff;

/** All functions among `items`, in enumeration order. */
export function lowerFunctions(context: Context, items: readonly ast.HostItem[]): FunctionDescription[] {
  const slots = layOut(items.filter(ast.isPciFunction));
  const functions: FunctionDescription[] = [];
  const emit = (level: readonly Slot[]): void => {
    const ordered = [...level].sort((a, b) => addressKey(a.address) - addressKey(b.address));
    for (const slot of ordered) functions.push(lowerSlot(context, slot));
    for (const slot of ordered) if (slot.children.length > 0) emit(slot.children);
  };
  emit(slots);
  return functions;
}

/** Gives every function its identity before anything refers to it. */
export function nameFunctions(context: Context, host: SubjectId, hostName: string, items: readonly ast.FunctionItem[] | readonly ast.HostItem[]): void {
  for (const item of items) {
    if (!ast.isPciFunction(item)) continue;
    const id = context.name(item, `${hostName}/${item.name ?? 'function'}`);
    context.belongs(id, host);
    const sriov = sriovOf(item);
    if (sriov !== undefined) nameVirtualFunctions(context, host, id, sriov);
    nameFunctions(context, host, hostName, item.items);
  }
}

function nameVirtualFunctions(context: Context, host: SubjectId, physical: SubjectId, sriov: ast.Sriov): void {
  const ids = Array.from({ length: enabledFunctions(sriov) }, (_, index) => context.book.add(`${physical}.vf${index}`, sriov));
  for (const id of ids) context.belongs(id, host);
  context.setVirtualFunctions(sriov, ids);
}

function lowerSlot(context: Context, slot: Slot): FunctionDescription {
  const { node } = slot;
  if (slot.virtual !== undefined) return lowerVirtualFunction(context, slot, slot.virtual);
  const id = context.idOf(node)!;
  const { properties, said, guests } = saidOf(node);
  const physical = context.idOf(node.physical?.ref);
  const behind = context.deviceId(node.items.find(ast.isBehind)?.device?.device);
  const sriov = sriovOf(node);
  return {
    id, name: node.name ?? 'function', address: slot.address, type: typeOf(node), upstream: context.idOf(slot.upstream) ?? null,
    ...said,
    ...(slot.buses === undefined ? {} : { buses: slot.buses }),
    acs: lowerAcs(context, id, node, properties),
    bars: lowerBars(context, id, node),
    windows: node.items.filter(ast.isWindow).flatMap((window) => {
      const range = rangeOf<PhysicalAddress>(window.range);
      return range === undefined ? [] : [{ range, prefetchable: window.prefetchable === 'prefetchable' }];
    }),
    ...(sriov === undefined ? {} : { sriov: sriovShape(sriov) }),
    ...(physical === undefined ? {} : { virtualFunction: { of: physical, index: smallNumber(amountOf(node.index), U16) ?? 0 } }),
    ...(behind === undefined ? {} : { behindVmd: behind }),
    functionLevelReset: properties.statedFlag('flr'),
    ...guests,
    driver: driverOf(properties),
  };
}

interface Said {
  readonly properties: Properties;
  readonly said: Described;
  readonly guests: ReturnType<typeof forGuests>;
}

const saidBefore = new WeakMap<ast.PciFunction, Said>();

/** What the simple properties of a function say. They are words, so it is the same as long as the function is not parsed again. */
function saidOf(node: ast.PciFunction): Said {
  const known = saidBefore.get(node);
  if (known !== undefined) return known;
  const properties = new Properties('function', node.items);
  const said = { properties, said: described(properties), guests: forGuests(properties) };
  saidBefore.set(node, said);
  return said;
}

type Described = Omit<FunctionDescription, ForGuests | 'id' | 'name' | 'address' | 'type' | 'upstream' | 'acs' | 'bars' | 'windows' | 'driver'>;

type ForGuests = 'resetMethods' | 'virtualBarSizes' | 'guestRom';

/** What matters when a user gets the function. */
function forGuests(properties: Properties): Pick<FunctionDescription, ForGuests> {
  const methods = properties.texts('reset-method').filter((method) => method !== 'none');
  const rom = properties.text('guest-rom');
  return {
    ...(properties.has('reset-method') ? { resetMethods: methods } : {}),
    ...(properties.has('vf-bars') ? { virtualBarSizes: properties.integers('vf-bars') } : {}),
    ...(rom === undefined ? {} : { guestRom: rom === 'none' ? 'none' as const : { file: rom } }),
  };
}

/** What the simple properties of a function say. */
function described(properties: Properties): Described {
  const ids = parseIdPair(properties.text('id'));
  const subsystem = parseIdPair(properties.text('subsystem'));
  return {
    label: properties.text('label'),
    multifunction: properties.statedFlag('multifunction'),
    ...(ids === undefined ? {} : { ids: { vendor: ids.first, device: ids.second, subsystemVendor: subsystem?.first, subsystemDevice: subsystem?.second } }),
    classCode: classCode(properties.text('class')),
    ari: properties.flag('ari'), ats: properties.flag('ats'), pri: properties.flag('pri'), msi: properties.flag('msi'),
    pasidBits: properties.number('pasid') ?? 0,
    extraAliases: properties.texts('alias').flatMap((text) => parseDevfn(text) ?? []),
    externalFacing: properties.flag('external-facing'),
    internalPeerToPeer: properties.flag('internal-peer-to-peer'),
    driverOverride: properties.text('driver-override'),
    recordedGroup: properties.number('group'),
    bootVga: properties.statedFlag('boot-vga'),
    ...(properties.flag('probed') ? { probed: true } : {}),
    ...(properties.statedFlag('chipset-registers') === false ? { chipsetRegisters: false } : {}),
  };
}

/** The 24-bit class code of a word of the table or a number. */
export function classCode(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return CLASS_CODES[text] ?? smallNumber(parseInteger(text), 0xff_ffff);
}

export function driverOf(properties: Properties): string | null {
  const driver = properties.text('driver');
  return driver === undefined || driver === 'none' ? null : driver;
}

/** A virtual function has what its physical function has, a reset of its own, and no driver until one is bound. */
function lowerVirtualFunction(context: Context, slot: Slot, virtual: NonNullable<Slot['virtual']>): FunctionDescription {
  const { properties, said } = saidOf(slot.node);
  const acs = lowerAcs(context, undefined, slot.node, properties);
  return {
    id: context.virtualFunctionId(virtual.sriov, virtual.index), name: `${slot.node.name}.vf${virtual.index}`,
    address: slot.address, type: 'endpoint', upstream: context.idOf(slot.upstream) ?? null,
    ...said, label: undefined, multifunction: undefined, driverOverride: undefined, recordedGroup: undefined, bootVga: undefined, probed: undefined, chipsetRegisters: undefined,
    acs, bars: [], windows: [], functionLevelReset: true, driver: null,
    virtualFunction: { of: context.idOf(slot.node)!, index: virtual.index },
  };
}

export function acsBits(words: readonly string[]): number {
  return words.reduce((bits, word) => bits | (ACS_BITS[word] ?? 0), 0);
}

function lowerAcs(context: Context, id: SubjectId | undefined, node: ast.PciFunction, properties: Properties): AcsDescription | 'none' | Unknown {
  const [first] = properties.texts('acs');
  if (first === 'unknown') return 'unknown';
  if (first === undefined || first === 'none') return 'none';
  const statement = node.items.find((item): item is ast.SimpleProperty => ast.isSimpleProperty(item) && item.key === 'acs');
  return {
    ...(id === undefined || statement === undefined ? {} : { id: context.book.add(`${id}/acs`, statement) }),
    capability: acsBits(properties.texts('acs')),
    control: properties.has('acs-control') ? acsBits(properties.texts('acs-control')) : undefined,
    firmwareControl: acsBits(properties.texts('acs-firmware')),
  };
}

/** BAR 6 is the expansion ROM. */
const ROM = 6;

function lowerBars(context: Context, id: SubjectId, node: ast.PciFunction): BarDescription[] {
  return node.items.filter(ast.isBar).flatMap((bar) => {
    const index = bar.rom ? ROM : smallNumber(bar.index, ROM);
    const range = span<PhysicalAddress>(bar.address, bar.size);
    if (index === undefined || range === undefined) return [];
    return [{ id: context.book.add(`${id}/bar${index}`, bar), index, range, prefetchable: bar.prefetchable === 'prefetchable' }];
  });
}

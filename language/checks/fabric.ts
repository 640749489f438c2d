/** PCI functions: addresses, buses, BARs, virtual functions, and what can stand where. */
import type { AstNode } from 'langium';
import * as ast from '../generated/ast.js';
import { layOut, type Slot } from '../lowering/addresses.js';
import { isBridgeKind } from '../lowering/functions.js';
import { amountOf, MAX_VIRTUAL_FUNCTIONS, sriovOf } from '../names.js';
import { printAddress } from '../numbers.js';
import { addressKey, parseBus, parsePciAddress, printPciAddress } from '../pci.js';
import { isPowerOfTwo } from './amounts.js';
import type { Report } from './check.js';

export function pciAddressesMustExist(node: ast.PciFunction, report: Report): void {
  if (node.address !== undefined && parsePciAddress(node.address) === undefined) {
    report('language/pci-address', node, `\`${node.address}\` is no PCI address: devices go up to 1f and functions to 7 (with ARI, device 0, to ff).`, { property: 'address' });
  }
}

/** Over the whole host, functions that SR-IOV makes included. */
export function pciAddressesMustBeUnique(host: ast.Host, report: Report): void {
  const first = new Map<number, Slot>();
  const reported = new Set<AstNode>();
  const visit = (slot: Slot): void => {
    const key = addressKey(slot.address);
    const other = first.get(key);
    const subject = slot.virtual?.sriov ?? slot.node;
    if (other === undefined) first.set(key, slot);
    else if (!reported.has(subject)) reportDuplicate(slot, other, report);
    if (other !== undefined) reported.add(subject);
    slot.children.forEach(visit);
  };
  const unplaced = (node: ast.PciFunction): void => report('language/pci-address', node, `There is no free address left on the bus of \`${node.name}\`.`, { property: 'name' });
  layOut(host.items.filter(ast.isPciFunction), unplaced).forEach(visit);
}

function reportDuplicate(slot: Slot, other: Slot, report: Report): void {
  const address = printPciAddress(slot.address);
  if (slot.virtual === undefined) report('language/duplicate-address', slot.node, `${nameOf(other)} is at ${address} already.`, { property: 'address' });
  else report('language/duplicate-address', slot.virtual.sriov, `${nameOf(slot)} would be at ${address}, where ${nameOf(other)} is.`);
}

const nameOf = (slot: Slot): string => `\`${slot.node.name}${slot.virtual === undefined ? '' : `.vf${slot.virtual.index}`}\``;

export function busesMustBeInOrder(node: ast.Buses, report: Report): void {
  for (const property of ['secondary', 'subordinate'] as const) {
    if (node[property] !== undefined && parseBus(node[property]) === undefined) {
      report('language/bus-number', node, `\`${node[property]}\` is no bus number: write two hexadecimal digits, 00 to ff.`, { property });
    }
  }
  const [first, last] = [parseBus(node.secondary), parseBus(node.subordinate)];
  if (first !== undefined && last !== undefined && last < first) report('language/bus-number', node, 'The subordinate bus is less than the secondary bus.');
}

/** What a bridge forwards to is the bus that the functions below it are on. */
export function functionsMustBeOnTheBusOfTheirBridge(node: ast.PciFunction, report: Report): void {
  if (!isBridgeKind(node.kind)) return;
  const below = node.items.filter(ast.isPciFunction).filter((child) => child.kind !== 'virtual-function');
  const placed = below.flatMap((child) => {
    const address = parsePciAddress(child.address);
    return address === undefined ? [] : [{ child, bus: address.bus }];
  });
  const secondary = parseBus(node.items.find(ast.isBuses)?.secondary) ?? placed[0]?.bus;
  for (const { child, bus } of placed) {
    if (bus !== secondary) report('language/bus-number', child, `\`${child.name}\` is on bus ${hexByte(bus)}, but the bus below \`${node.name}\` is ${hexByte(secondary!)}.`, { property: 'address' });
  }
}

const hexByte = (value: number): string => value.toString(16).padStart(2, '0');

/** Kinds that a function of each kind may stand in; undefined: in anything that has a bus below it, or in the host. */
const HOMES: Readonly<Record<string, { readonly kinds: readonly string[]; readonly say: string }>> = {
  'root-port': { kinds: [], say: 'A root port stands directly in the host.' },
  'integrated': { kinds: [], say: 'An integrated endpoint stands directly in the host.' },
  'event-collector': { kinds: [], say: 'An event collector stands directly in the host.' },
  'switch': { kinds: ['root-port', 'port', 'bridge'], say: 'The upstream port of a switch stands below a root port or the port of another switch.' },
  'port': { kinds: ['switch'], say: 'The downstream port of a switch stands in its `switch`.' },
};

export function functionsMustStandWhereTheyCan(node: ast.PciFunction, report: Report): void {
  const home = HOMES[node.kind];
  const parent = node.$container;
  const parentKind = ast.isPciFunction(parent) ? parent.kind : undefined;
  const complain = (message: string): void => report('language/misplaced-function', node, message, { property: 'kind' });
  if (parentKind !== undefined && !isBridgeKind(parentKind) && node.kind !== 'virtual-function') complain(`Nothing is below \`${(parent as ast.PciFunction).name}\`: it is no bridge, port or switch.`);
  else if (home !== undefined && (parentKind === undefined ? home.kinds.length > 0 : !home.kinds.includes(parentKind))) complain(home.say);
}

export function virtualFunctionsMustNameTheirPhysicalFunction(node: ast.PciFunction, report: Report): void {
  if (node.kind === 'virtual-function' && node.physical === undefined) report('language/sriov', node, 'Of which physical function? Write `of NAME index N`.', { property: 'name' });
  if (node.kind !== 'virtual-function' && node.physical !== undefined) report('language/sriov', node, 'Only a `virtual-function` is `of` another function.', { property: 'physical' });
}

export function virtualFunctionsMustFit(node: ast.Sriov, report: Report): void {
  const enabled = amountOf(node.enabled);
  const total = amountOf(node.total);
  const complain = (message: string, property: string): void => report('language/sriov', node, message, { property });
  if (enabled === undefined) return;
  if (enabled > BigInt(MAX_VIRTUAL_FUNCTIONS)) complain(`At most ${MAX_VIRTUAL_FUNCTIONS} virtual functions of one function are described.`, 'enabled');
  if (total !== undefined && total < enabled) complain(`${enabled} are enabled, but there are only ${total}.`, 'enabled');
  if (enabled > 1n && amountOf(node.stride) === 0n) complain('With a stride of 0 all virtual functions would have the same address.', 'stride');
  if (amountOf(node.offset) === 0n) complain('With an offset of 0 the first virtual function would be the physical function.', 'offset');
}

export function oneStatementOfSriovIsEnough(node: ast.PciFunction, report: Report): void {
  const first = sriovOf(node);
  for (const item of node.items) if (ast.isSriov(item) && item !== first) report('language/duplicate-property', item, '`sriov` is given twice; the first one counts.');
}

export function barsMustBePossible(node: ast.Bar, report: Report): void {
  const size = amountOf(node.size);
  const address = amountOf(node.address);
  const complain = (message: string, property: string): void => report('language/bar', node, message, { property });
  if (node.index !== undefined && node.index > 5n) complain('BARs are numbered 0 to 5; the expansion ROM is `bar rom`.', 'index');
  if (size !== undefined && !isPowerOfTwo(size)) complain('The size of a BAR is a power of two.', 'size');
  else if (size !== undefined && address !== undefined && address % size !== 0n) complain(`A BAR is aligned to its size: ${printAddress(address)} is no multiple of ${printAddress(size)}.`, 'address');
}

export function barsMustBeGivenOnce(node: ast.PciFunction, report: Report): void {
  const seen = new Set<string>();
  for (const bar of node.items.filter(ast.isBar)) {
    const which = bar.rom ? 'rom' : String(bar.index);
    if (seen.has(which)) report('language/bar', bar, `\`bar ${which}\` is given twice.`);
    seen.add(which);
  }
}

export function hostItemsMustStandInAHost(file: ast.File, report: Report): void {
  for (const item of file.statements as readonly AstNode[]) {
    if (ast.isHostItem(item) && !ast.isBinding(item)) report('language/outside-host', item, 'This belongs into a `host { … }`. Is there a closing brace too many above?');
  }
}

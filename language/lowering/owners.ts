/** Owners, domains, group claims and questions. */
import type {
  ApiChoice, DmaDescription, DomainDescription, Expectation, GroupClaim, NeverDescription, NodeAccess, OwnerDescription, OwnerMemory, PasidSetDescription, Permission, ProgramName, SubjectId,
} from '../../server/simulator/description.js';
import type { PhysicalAddress, VirtualAddress } from '../../server/simulator/memory/address.js';
import * as ast from '../generated/ast.js';
import { amountOf, DEFAULT_MEMORY_NAME } from '../names.js';
import { smallNumber } from '../numbers.js';
import { address, span, textOf, type Context } from './context.js';
import { Properties } from './values.js';

export const MEMORY_KINDS: readonly OwnerMemory['kind'][] = ['anonymous', 'hugetlb', 'file', 'read-only', 'device'];
export const DOMAIN_TYPES: readonly DomainDescription['type'][] = ['identity', 'blocked', 'dma', 'dma-fq', 'unmanaged', 'nested', 'sva'];
export const PERMISSIONS: Readonly<Record<string, Permission>> = {
  r: { read: true, write: false }, w: { read: false, write: true }, rw: { read: true, write: true }, none: { read: false, write: false },
};
export const DMA_WORDS = ['privileged', 'translated', 'translation-request', 'execute'] as const;
/** Expectations that are no errno, and whether something follows. */
export const EXPECTATION_WORDS: Readonly<Record<string, 'nothing' | 'maybe-number' | 'number' | 'maybe-device'>> = {
  ok: 'nothing', fault: 'maybe-number', interrupt: 'nothing', peer: 'maybe-device', address: 'number', blocked: 'nothing', value: 'number',
};

const PASID_MAX = 0xf_ffff;
/** Pieces that back memory unless the file says otherwise. */
const USUAL_BACKING = 2n << 20n;
/** One doubleword: the smallest request. */
const USUAL_DMA_SIZE = 4n;

export function nameOwner(context: Context, node: ast.Owner): SubjectId {
  const id = context.name(node, `${node.kind}:${node.name ?? 'owner'}`);
  nameMemories(context, id, node.items);
  return id;
}

export function nameMemories(context: Context, owner: SubjectId, items: readonly (ast.OwnerItem | ast.ScenarioItem)[]): void {
  for (const item of items) if (ast.isOwnerMemory(item)) context.name(item, `${owner}/${item.name ?? DEFAULT_MEMORY_NAME}`);
}

export function lowerOwner(context: Context, node: ast.Owner): OwnerDescription[] {
  const host = context.idOf(node.host?.ref);
  if (host === undefined) return [];
  const id = context.idOf(node)!;
  const properties = new Properties(node.kind === 'vm' ? 'vm' : 'process', node.items);
  return [{
    id, name: node.name ?? 'owner', host, kind: node.kind, through: (properties.word('through') ?? 'type1') as ApiChoice,
    memory: lowerMemories(context, node.items),
    memlock: properties.integers('memlock')[0],
    capabilities: properties.texts('capabilities').filter((capability) => capability !== 'none'),
    program: properties.word('program') as ProgramName | undefined,
    ...programOf(properties),
    assigned: node.items.filter(ast.isAssign).flatMap((assign) => assign.devices).flatMap((ref) => {
      const device = context.deviceId(ref.device);
      return device === undefined ? [] : [{ id: context.book.add(`${id}/assign/${device.split('/').at(-1)}`, ref), device }];
    }),
  }];
}

/** What is said of the program and of the VM beyond its devices and memory. */
function programOf(properties: Properties): Pick<OwnerDescription, 'managed' | 'user' | 'nodes' | 'addressWidth' | 'pciWindow' | 'virtualIommu'> {
  return {
    managed: properties.statedFlag('managed'),
    user: properties.text('user'), nodes: properties.word('nodes') as NodeAccess | undefined,
    addressWidth: properties.number('address-width'), pciWindow: properties.integers('pci-window')[0], virtualIommu: properties.statedFlag('virtual-iommu'),
  };
}

export function lowerMemories(context: Context, items: readonly (ast.OwnerItem | ast.ScenarioItem)[]): OwnerMemory[] {
  return items.filter(ast.isOwnerMemory).flatMap((memory) => {
    const size = address(memory.size);
    if (size === undefined || size === 0n) return [];
    const word = memory.details.find(ast.isMemoryKind)?.kind;
    return [{
      id: context.idOf(memory)!, name: memory.name ?? DEFAULT_MEMORY_NAME, size,
      at: address(memory.details.find(ast.isMemoryPlace)?.address),
      backing: address(memory.details.find(ast.isMemoryBacking)?.size) ?? USUAL_BACKING,
      kind: MEMORY_KINDS.find((kind) => kind === word) ?? 'anonymous',
      virtual: address(memory.details.find(ast.isMemoryVirtual)?.address) as VirtualAddress | undefined,
    }];
  });
}

export function lowerDomain(context: Context, node: ast.Domain): DomainDescription[] {
  const host = context.idOf(node.host?.ref);
  if (host === undefined) return [];
  const id = context.name(node, `domain:${node.name ?? 'domain'}`);
  return [{
    id, name: node.name ?? 'domain', host, type: DOMAIN_TYPES.find((type) => type === node.type) ?? 'unmanaged',
    maps: node.items.filter(ast.isDomainMap).flatMap((map) => {
      const iova = span(map.iova, map.size);
      const to = address(map.to);
      if (iova === undefined || to === undefined) return [];
      return [{ id: context.book.add(`${id}/map`, map), iova, to: to as PhysicalAddress, permission: PERMISSIONS[map.permission ?? 'rw'] ?? PERMISSIONS['rw']! }];
    }),
    attachments: node.items.filter(ast.isDomainAttach).flatMap((attach) => context.deviceIds(attach.devices).map((device) => ({
      id: context.book.add(`${id}/attach/${device.split('/').at(-1)}`, attach), device, pasid: smallNumber(amountOf(attach.pasid), PASID_MAX),
    }))),
  }];
}

const UNLIMITED = 0n;

/** `first` and `quota`, by their words. */
const detailOf = (details: ast.Details | undefined, key: string): bigint | undefined => address(details?.entries.findLast((entry) => entry.key === key)?.values[0]);

export function namePasidSet(context: Context, node: ast.PasidSet): SubjectId {
  return context.name(node, `pasid-set:${node.name ?? 'set'}`);
}

export function lowerPasidSet(context: Context, node: ast.PasidSet): PasidSetDescription[] {
  const host = context.idOf(node.host?.ref);
  const owner = node.owner?.ref?.name;
  if (host === undefined || (node.owner !== undefined && owner === undefined)) return [];
  const first = detailOf(node.details, 'first');
  return [{
    id: context.idOf(node)!, name: node.name ?? 'set', host, quota: detailOf(node.details, 'quota') ?? UNLIMITED,
    ...(owner === undefined ? {} : { owner }), ...(first === undefined ? {} : { first }),
  }];
}

export function lowerClaim(context: Context, node: ast.GroupClaim, around: SubjectId | undefined): GroupClaim[] {
  const id = context.name(node, `group:${node.name ?? 'group'}`);
  const members = node.members.flatMap((ref) => {
    const device = context.deviceId(ref.device);
    return device === undefined ? [] : [{ id: context.book.add(`${id}/${device.split('/').at(-1)}`, ref), device }];
  });
  const first = members[0];
  const host = context.idOf(node.host?.ref) ?? around ?? (first === undefined ? undefined : context.hostIdOf(first.device));
  return host === undefined ? [] : [{ id, name: node.name ?? 'group', host, members }];
}

/** @param host of the scenario around it; at top level the device says which host is meant. */
export function lowerDma(context: Context, node: ast.Dma, wantedId: string, host?: SubjectId): DmaDescription[] {
  const device = context.deviceId(node.device?.device);
  const at = address(node.address);
  const on = host ?? (device === undefined ? undefined : context.hostIdOf(device));
  if (device === undefined || at === undefined || on === undefined || node.access === undefined) return [];
  const size = node.size === undefined ? USUAL_DMA_SIZE : address(node.size);
  if (size === undefined || size === 0n) return [];
  return [{
    kind: 'dma', id: context.book.add(wantedId, node), text: textOf(node), host: on, device,
    access: node.access === 'execute' ? 'read' : node.access, address: at, size,
    addressType: node.words.includes('translated') ? 'translated' : node.words.includes('translation-request') ? 'translation-request' : 'untranslated',
    pasid: smallNumber(amountOf(node.pasid), PASID_MAX),
    privileged: node.words.includes('privileged'), execute: node.access === 'execute' || node.words.includes('execute'),
    expect: lowerExpectation(context, node.expect),
  }];
}

export function lowerNever(context: Context, node: ast.Never, wantedId: string): NeverDescription[] {
  const device = context.deviceId(node.device?.device);
  const host = device === undefined ? undefined : context.hostIdOf(device);
  const target = neverTarget(context, node);
  if (device === undefined || host === undefined || target === undefined) return [];
  return [{ kind: 'never', id: context.book.add(wantedId, node), text: textOf(node), host, device, target }];
}

function neverTarget(context: Context, node: ast.Never): NeverDescription['target'] | undefined {
  if (node.host) return { kind: 'host-memory' };
  if (node.hostMemory) {
    const owner = context.idOf(node.owner?.ref);
    return owner === undefined ? undefined : { kind: 'owner-memory', owner };
  }
  const device = context.deviceId(node.target?.device);
  return device === undefined ? undefined : { kind: 'device', device };
}

export function lowerExpectation(context: Context, node: ast.Expectation | undefined): Expectation | undefined {
  if (node?.kind === undefined) return undefined;
  const constant = node.target?.ref;
  const number = node.number ?? (ast.isConstant(constant) ? amountOf(constant.value) : undefined);
  switch (node.kind) {
    case 'ok': case 'interrupt': case 'blocked': return { kind: node.kind };
    case 'fault': return { kind: 'fault', code: smallNumber(number, Number.MAX_SAFE_INTEGER) };
    case 'peer': return { kind: 'peer', device: context.deviceId(node.target) };
    case 'address': return number === undefined ? undefined : { kind: 'address', address: number };
    case 'value': return number === undefined ? undefined : { kind: 'value', value: number };
    default: return /^E[A-Z0-9]+$|^BUG$/.test(node.kind) ? { kind: 'errno', errno: node.kind } : undefined;
  }
}

/** What may come next at a cursor, as kinds of proposals; `completion.ts` makes items of them. */
import { REGISTER_NAMES } from '../../server/simulator/hardware/register-map.js';
import { PROFILES } from '../../server/simulator/kernel/profile.js';
import { verbNamed, type OperandSpec, type VerbSpec } from '../../server/simulator/scenario/verbs.js';
import { FUNCTION_TYPES } from '../lowering/functions.js';
import { ARCHITECTURES, CPU_VENDORS, FIRMWARE_KINDS, GROUPINGS, IOASID_MODELS, MEDIATED_KINDS, RESERVED_TYPES } from '../lowering/host.js';
import { DMA_WORDS, DOMAIN_TYPES, EXPECTATION_WORDS, MEMORY_KINDS, PERMISSIONS } from '../lowering/owners.js';
import { CLASS_CODES, propertyOf, type PropertySpec } from '../properties.js';
import { demands, HOLDER_OF, type Cursor } from './cursor.js';

/** Kinds of names; a handle class of the verb table stands for itself. */
export type NameKind = 'device' | 'host' | 'owner' | 'iommu' | 'memory' | 'domain' | 'constant' | 'handle' | (string & {});

export interface Expected {
  /** Words, in order. */
  readonly words: readonly string[];
  /** Kinds of names. */
  readonly names: readonly NameKind[];
  /** Whether a new statement may begin here. */
  readonly statements: boolean;
}

const nothing: Expected = { words: [], names: [], statements: false };
const words = (...list: readonly string[]): Expected => ({ ...nothing, words: list });
const names = (...kinds: readonly NameKind[]): Expected => ({ ...nothing, names: kinds });
const also = (expected: Expected): Expected => ({ ...expected, statements: true });
const done: Expected = { ...nothing, statements: true };
const both = (a: Expected, b: Expected): Expected => ({ words: [...a.words, ...b.words], names: [...a.names, ...b.names], statements: a.statements || b.statements });

const VERSIONS = PROFILES.map((profile) => profile.name).toReversed();
const ERRNOS = ['EINVAL', 'EPERM', 'EBUSY', 'ENODEV', 'ENOMEM', 'EEXIST', 'ENOENT', 'EFAULT', 'EOPNOTSUPP', 'EOVERFLOW', 'ENOTTY', 'EACCES'];
const EXPECTATIONS = [...Object.keys(EXPECTATION_WORDS), ...ERRNOS];
const DRIVERS = ['vfio-pci', 'none', 'nvme', 'nvidia', 'nouveau', 'amdgpu', 'i915', 'xe', 'snd_hda_intel', 'xhci_hcd', 'ahci', 'e1000e', 'igb', 'ixgbe', 'mlx5_core', 'pci-stub'];

/** Words that an operand of kind `word` may be, by verb and role. */
const OPERAND_WORDS: Readonly<Record<string, readonly string[]>> = {
  'device-feature feature': ['vf-token', 'low-power-entry', 'low-power-exit', 'migration'],
  'set-iommu model': ['type1', 'type1v2', 'nesting', 'noiommu'], 'bind driver': DRIVERS.filter((driver) => driver !== 'none'),
  'ioasid-set-alloc type': ['MM', 'NULL'], 'ioasid-register-notifier level': ['CPU', 'IOMMU', 'DEVICE'], 'ioasid-ioctl command': ['GET_API_VERSION', 'GET_INFO'],
  'set-group-type type': ['identity', 'DMA', 'DMA-FQ', 'auto'], 'iommufd-option option': ['rlimit-mode', 'huge-pages'],
};

type Reader = (after: readonly string[], last: string) => Expected;

/** A list of devices, then what may follow it. */
const devices = (rest: Expected): Reader => (after, last) => (after.length === 0 || last === ',' ? names('device') : rest);

/** By the keyword of the statement; `after` is what follows the keyword, `last` its last word ('' when there is none). */
const READERS: Readonly<Record<string, Reader>> = {
  host: () => nothing, use: () => nothing, let: () => nothing,
  kernel: (after, last) => (after.length === 0 ? words(...VERSIONS) : last === 'cmdline' ? nothing : last === 'grouping' ? words(...GROUPINGS) : last === 'ioasid' ? words(...IOASID_MODELS) : also(words('cmdline', 'options', 'parameters', 'grouping', 'ioasid'))),
  cpu: (after) => (after.length === 0 ? words(...CPU_VENDORS) : done),
  firmware: (after) => (after.length === 0 ? words(...FIRMWARE_KINDS) : done),
  'id-map': (_, last) => (last === 'to' ? names('constant') : also(words('size', 'to'))),
  'id-group': () => names('constant'), 'acpi-device': () => also(words('uid', 'at')),
  iommu: (after, last) => (after.length === 0 ? nothing : last === ':' ? words(...Object.keys(ARCHITECTURES)) : done),
  covers: (after, last) => (after.length === 0 ? both(words('rest'), names('device')) : last === ',' || last === 'except' ? names('device') : also(words('except'))),
  behind: devices(done), assign: devices(done), attach: devices(also(words('pasid'))),
  bind: (after, last) => (last === 'to' ? words(...DRIVERS) : last === 'on' ? names('host') : devices(after.includes('to') ? also(words('on')) : words('to'))(after, last)),
  reserved: (after, last) => (last === 'for' || (after.includes('for') && last === ',') ? names('device') : after.length > 0 && !demands(last) ? also(words('size', ...RESERVED_TYPES, 'for')) : nothing),
  register: (after, last) => (after.length === 0 ? words(...REGISTER_NAMES) : last === '=' ? names('constant') : words('=')),
  words: (_, last) => (demands(last) ? names('constant') : also(words('='))),
  'dma-ranges': (after, last) => (after.length > 0 && !demands(last) ? also(words('size')) : nothing),
  mdev: (_, last) => (last === 'on' ? names('device') : last === ':' ? words(...MEDIATED_KINDS) : also(words('on'))),
  group: (after) => (after.length === 1 ? words('on') : nothing),
  vm: ownerHead, process: ownerHead,
  domain: (after, last) => (last === ':' ? words(...DOMAIN_TYPES) : ownerHead(after, last)),
  'pasid-set': (after, last) => (last === 'for' ? names('owner') : after.length >= 3 ? words('for') : ownerHead(after, last)),
  scenario: (_, last) => (last === 'on' ? names('host') : last === 'kernel' ? words(...VERSIONS) : last === 'ioasid' ? words(...IOASID_MODELS) : words('on', 'kernel', 'cmdline', 'ioasid')),
  memory: (_, last) => (last === 'size' ? nothing : also(words('size', 'at', 'backing', ...MEMORY_KINDS))),
  map: (after, last) => (demands(last) ? names('constant') : also(words(...['iova', 'size', 'to'].filter((key) => !after.includes(key)), ...Object.keys(PERMISSIONS)))),
  bar: (_, last) => (last === 'at' || last === 'size' ? names('constant') : also(words('at', 'size', 'prefetchable'))),
  window: () => also(words('size', 'prefetchable')),
  sriov: () => also(words('vfs', 'of', 'offset', 'stride')),
  dma: (after, last) => {
    if (last === 'expect') return words(...EXPECTATIONS);
    if (after.length === 0 || last === 'peer') return names('device');
    if (after.length === 1) return words('read', 'write', 'atomic', 'execute');
    return after.length === 2 || demands(last) ? names('constant') : also(words('size', 'pasid', ...DMA_WORDS, 'expect'));
  },
  never: (after, last) => {
    if (after.length === 0) return names('device');
    if (last === 'reaches') return both(words('memory'), names('device'));
    if (last === 'of') return both(words('host'), names('owner'));
    return last === 'memory' ? words('of') : after.length === 1 ? words('reaches') : done;
  },
};

function ownerHead(after: readonly string[], last: string): Expected {
  return last === 'on' ? names('host') : after.length === 1 ? words('on') : nothing;
}

export function expectedAt({ block, statement }: Cursor): Expected {
  if (statement.length === 0) return block === 'group' ? names('device') : done;
  const [head = '', ...after] = statement;
  const last = after.at(-1) ?? '';
  if (block === 'group') return last === ',' || statement.at(-1) === ',' ? names('device') : nothing;
  const holder = HOLDER_OF[block];
  const property = holder === undefined ? undefined : propertyOf(holder, head);
  if (property !== undefined) return expectedValue(property, after);
  if (block === 'scenario' && head !== 'memory' && head !== 'dma') return expectedInStep(head, after);
  const types = FUNCTION_TYPES[head];
  if (types !== undefined) return expectedOfFunction(head, types, after, last);
  return READERS[head]?.(after, last) ?? done;
}

function expectedOfFunction(kind: string, types: Readonly<Record<string, unknown>>, after: readonly string[], last: string): Expected {
  if (last === ':') return words(...Object.keys(types));
  if (last === 'of') return names('device');
  if (after.length === 0 || last === 'at' || last === 'index') return nothing;
  return also(words(...['at', ...(kind === 'virtual-function' ? ['of', 'index'] : [])].filter((word) => !after.includes(word))));
}

function expectedValue(property: PropertySpec, after: readonly string[]): Expected {
  const open = after.length === 0 || after.at(-1) === ',';
  if (!open) return done;
  const first = after.length === 0;
  switch (property.value) {
    case 'flag': return also(words('yes', 'no'));
    case 'class': return words(...Object.keys(CLASS_CODES));
    case 'name': return property.key.startsWith('driver') ? words(...DRIVERS) : nothing;
    default: return words(...(property.words ?? []), ...(first ? property.alone ?? [] : []));
  }
}

function expectedInStep(head: string, after: readonly string[]): Expected {
  if (head === 'by') return after.length === 0 ? names('owner') : { ...done };
  const verb = verbNamed.get(head);
  if (verb === undefined) return done;
  const expectAt = after.indexOf('expect');
  if (expectAt >= 0) return expectAt === after.length - 1 ? words(...EXPECTATIONS) : after.at(-1) === 'peer' ? also(names('device')) : done;
  return expectedOperand(verb, after);
}

function expectedOperand(verb: VerbSpec, after: readonly string[]): Expected {
  const last = after.at(-1);
  const keyed = verb.operands.find((operand) => operand.key !== undefined && operand.key === last);
  if (keyed !== undefined) return namesFor(verb, keyed);
  if (last === '+' || last === '.') return names('constant');
  const positional = verb.operands.filter((operand) => operand.key === undefined);
  if (after.length < positional.length) return namesFor(verb, positional[after.length]!);
  const keys = verb.operands.flatMap((operand) => operand.key ?? []);
  return also(words(...[...keys, ...verb.flags].filter((word) => !after.includes(word)), 'expect'));
}

function namesFor(verb: VerbSpec, operand: OperandSpec): Expected {
  if (operand.kind.startsWith('new ')) return nothing;
  if (operand.kind === 'word' || operand.kind === 'text') return words(...(OPERAND_WORDS[`${verb.verb} ${operand.role}`] ?? []));
  if (operand.kind === 'number' || operand.kind === 'size') return names('constant');
  return names(...operand.kind.split('|').map((kind) => (kind === 'any handle' ? 'handle' : kind)));
}

/** The programs of one machine: their processes, the names they gave to what they opened, and where their memory lies. */
import type { HostDescription, NodeAccess, OwnerDescription, OwnerMemory, SubjectId } from '../description.js';
import { Refusal } from '../errno.js';
import type { Device } from '../kernel/core.js';
import { virtual, type VirtualAddress } from '../memory/address.js';
import { Process, type Capability, type MemoryArea, type User } from '../uapi/process.js';
import type { HostMemory } from './host-memory.js';
import type { HandleClass } from './verbs.js';

/** A file descriptor; of a device, group or character device also the device it was opened by. */
export interface FileHandle {
  readonly kind: 'file';
  readonly class: HandleClass;
  readonly fd: number;
  readonly device?: Device;
  /** Of a character device: the iommufd it is bound to, and the number of the device object there. */
  readonly bound?: { readonly fd: number; readonly id: number };
  /** ... and what the last attach wrote back. */
  readonly pt?: number;
}

/** An object of an iommufd, by the number that the kernel gave it. */
export interface ObjectHandle {
  readonly kind: 'object';
  readonly class: HandleClass;
  readonly fd: number;
  readonly id: number;
  /** The descriptor that reads it, of a queue. */
  readonly file?: number;
  /** Of a test device: the number of its device object, and of the page table that attaching wrote back. */
  readonly device?: number;
  readonly pt?: number;
}

/** What a name of a program stands for. */
export type Handle = FileHandle | ObjectHandle;

export interface Program {
  readonly process: Process;
  readonly handles: Map<string, Handle>;
  /** Memories that it has mapped, also those it took parts of out of its addresses again. */
  readonly mapped: Set<MemoryArea>;
}

/** Device nodes are root's until somebody gives them away, as libvirt does; what is no described owner runs as root. */
const nodesOf = (owner: OwnerDescription | undefined): NodeAccess => {
  const isRoot = owner?.user === undefined || owner.user === 'root';
  const access = owner?.nodes ?? (isRoot || owner.program === 'libvirt' ? 'granted' : 'root-only');
  return access === 'root-only' && isRoot ? 'granted' : access;
};

const CAPABILITIES: readonly Capability[] = ['IPC_LOCK', 'SYS_RAWIO', 'SYS_RESOURCE', 'SYS_ADMIN'];
/** Memory of programs is laid out from here up; where a real one lies does not matter to anybody. */
const FIRST_VIRTUAL = 0x7f00_0000_0000n;
const LARGEST_PAGE = 1n << 30n;

export class Programs {
  private readonly byName = new Map<string, Program>();
  /** One user runs everything that does not say otherwise: iommufd counts locked memory per user (IOP-30). */
  private readonly user: User = { lockedPages: 0 };
  private readonly owners: ReadonlyMap<string, OwnerDescription>;
  private readonly memories: ReadonlyMap<SubjectId, OwnerMemory>;
  private readonly areas = new Map<SubjectId, MemoryArea>();
  private nextVirtual = FIRST_VIRTUAL;

  constructor(
    private readonly hostMemory: HostMemory,
    host: HostDescription,
    owners: readonly OwnerDescription[],
    memories: readonly OwnerMemory[],
  ) {
    const here = owners.filter((owner) => owner.host === host.id);
    this.owners = new Map(here.map((owner) => [owner.name, owner]));
    this.memories = new Map([...here.flatMap((owner) => owner.memory), ...memories].map((memory) => [memory.id, memory]));
  }

  get all(): Iterable<readonly [name: string, program: Program]> {
    return this.byName;
  }

  /**
   * The program of that name; made when it is first used. An owner has its own limits and capabilities, any other program is
   * root's without limits.
   */
  named(name: string): Program {
    const known = this.byName.get(name);
    if (known !== undefined) return known;
    const owner = this.owners.get(name);
    const capabilities = owner === undefined ? CAPABILITIES : CAPABILITIES.filter((capability) => owner.capabilities.some((given) => given.replace(/^CAP_/, '') === capability));
    const program: Program = { process: new Process(name, this.user, new Set(capabilities), owner?.memlock ?? null), handles: new Map(), mapped: new Set() };
    program.process.nodes = nodesOf(owner);
    this.byName.set(name, program);
    return program;
  }

  /** The child has its parent's files and memory, and what the parent calls them. @throws Refusal EEXIST for a name that is taken */
  fork(parent: Program, name: string): Program {
    if (this.byName.has(name)) throw new Refusal('EEXIST', 'VFG-18', `there is a process called ${name} already`);
    const child: Program = { process: parent.process.fork(name), handles: new Map(parent.handles), mapped: new Set(parent.mapped) };
    this.byName.set(name, child);
    return child;
  }

  /** SIGKILL: files close; a program of the same name may start again. @throws Refusal ESRCH */
  kill(name: string): void {
    const program = this.byName.get(name);
    if (program === undefined) throw new Refusal('ESRCH', 'VFG-18', `no process is called ${name}`);
    this.byName.delete(name);
    program.process.exit();
  }

  /**
   * Where a memory lies in a program, which maps it when it has not yet: at the same address in every program.
   * @throws Refusal ENOMEM when the host has too little
   */
  virtualAddress(program: Program, memory: SubjectId): VirtualAddress {
    const area = this.area(memory);
    if (!program.mapped.has(area)) {
      program.mapped.add(area);
      program.process.areas.push(area);
    }
    return area.start;
  }

  /** Physical pieces behind a memory, if anybody used it yet. */
  piecesOf(memory: SubjectId): MemoryArea['pieces'] {
    return this.areas.get(memory)?.pieces ?? [];
  }

  /** Memory for `map` without `from`: anonymous, in pages of 2 MiB where it is that large. @throws as `virtualAddress` */
  freshBuffer(program: Program, size: bigint): VirtualAddress {
    const backing = size >= 1n << 21n ? 1n << 21n : 1n << 12n;
    const rounded = (size + 4095n) & ~4095n;
    const start = this.placeVirtual(rounded, undefined);
    program.process.areas.push({ start, size: rounded, kind: 'anonymous', writable: true, pieces: this.hostMemory.allocate(rounded, backing), name: 'a fresh buffer' });
    return start;
  }

  /** The memory as it lies in physical memory and in the programs. */
  area(subject: SubjectId): MemoryArea {
    const known = this.areas.get(subject);
    if (known !== undefined) return known;
    const memory = this.memories.get(subject);
    if (memory === undefined) throw new Refusal('EFAULT', 'VFT-40', 'that memory does not belong to this host');
    const area: MemoryArea = {
      start: this.placeVirtual(memory.size, memory.virtual), size: memory.size,
      kind: memory.kind === 'read-only' ? 'anonymous' : memory.kind, writable: memory.kind !== 'read-only',
      pieces: this.hostMemory.allocate(memory.size, memory.backing), subject, name: memory.name,
    };
    this.areas.set(subject, area);
    return area;
  }

  private placeVirtual(size: bigint, wanted: VirtualAddress | undefined): VirtualAddress {
    if (wanted !== undefined) return wanted;
    const start = this.nextVirtual;
    this.nextVirtual = (start + size + 2n * LARGEST_PAGE - 1n) & ~(LARGEST_PAGE - 1n);
    return virtual(start);
  }
}

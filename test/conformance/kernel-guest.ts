/** One process of a recorded run: its descriptors and memory in the simulator, and the names that its operations gave to results. */
import type { PhysicalAddress, VirtualAddress } from '../../server/simulator/memory/address.js';
import { Process, type MemoryArea, type User } from '../../server/simulator/uapi/process.js';
import type { OperationLine } from './kernel-record.js';

/** An operation names something that an earlier one did not give it. */
export class Unresolved extends Error {}
/** The model does not have this. */
export class NotCovered extends Error {}

const MASK = 0xffff_ffff_ffff_ffffn;
const PAGE = 4096n;
/** Buffers without a recorded address lie here, one below the other, as mmap places them. */
const TOP_OF_MAPPINGS = 0x7fff_e000_0000n;
/** Guest memory that buffers are made of; nothing ever runs out of it. */
const FIRST_PHYSICAL = 0x1_0000_0000n;
const PIECE = 0x20_0000n;

interface Variable {
  /** A number, or the size of a buffer. */
  readonly value: bigint;
  /** Of a buffer: where it is. */
  readonly address?: bigint;
}

interface AreaOptions {
  readonly writable?: boolean;
  /** Without it nobody can have its pages (PROT_NONE). */
  readonly accessible?: boolean;
  readonly kind?: MemoryArea['kind'];
}

/** Physical memory and users are shared by all processes of a boot. */
export class GuestMemory {
  readonly users = new Map<number, User>();
  private next = FIRST_PHYSICAL;

  user(uid: number): User {
    let user = this.users.get(uid);
    if (user === undefined) this.users.set(uid, (user = { lockedPages: 0 }));
    return user;
  }

  /** Contiguous pieces of at most 2 MiB. */
  pieces(size: bigint): MemoryArea['pieces'] {
    const pieces = [];
    for (let left = size; left > 0n; left -= PIECE) {
      pieces.push({ physical: this.next as PhysicalAddress, size: left < PIECE ? left : PIECE });
      this.next += PIECE;
    }
    return pieces;
  }
}

export class Guest {
  readonly process: Process;
  uid = 0;
  /** Results of operations that the model does not have: what uses them is not covered either. */
  readonly tainted = new Set<string>();
  /** The probe takes a name without value for 0, makes the call all the same, and then says that the name was not known. */
  missingIsZero = false;
  private readonly variables = new Map<string, Variable>();
  private top = TOP_OF_MAPPINGS;

  constructor(
    readonly name: string,
    readonly memory: GuestMemory,
    memlock: bigint,
  ) {
    this.process = new Process(name, memory.user(0), new Set(['IPC_LOCK', 'SYS_RAWIO', 'SYS_RESOURCE', 'SYS_ADMIN']), memlock);
  }

  set(name: string | undefined, value: bigint | number): void {
    if (name === undefined) return;
    this.tainted.delete(name);
    this.variables.set(name, { value: BigInt(value) });
  }

  /** A closed name answers EBADF from now on. */
  forget(name: string): void {
    if (this.variables.has(name)) this.set(name, -1n & MASK);
  }

  /** setresuid: another user, without capabilities unless it is root. */
  becomeUser(uid: number): void {
    this.uid = uid;
    this.process.user = this.memory.user(uid);
    if (uid !== 0) this.process.capabilities.clear();
  }

  // ---------------------------------------------------------------------------------------------- numbers

  /** NUMBER, NAME, or sums of them, in 64 bits. */
  number(text: string): bigint {
    let total = 0n;
    for (const [, sign, word = ''] of text.matchAll(/(^-?|[+-])([^+-]+)/g)) total += sign === '-' ? -this.term(word) : this.term(word);
    return total & MASK;
  }

  private term(word: string): bigint {
    const plain = /^(0x[0-9a-f]+|\d+)([KMG]?)$/i.exec(word.replace(/^\$/, ''));
    if (plain !== null) return BigInt(plain[1]!) << { '': 0n, K: 10n, M: 20n, G: 30n }[plain[2]!.toUpperCase()]!;
    const variable = this.variables.get(word.replace(/^\$/, ''));
    if (this.tainted.has(word)) throw new NotCovered(`${word} comes from an operation that is not modelled`);
    if (variable === undefined) {
      if (this.missingIsZero) return 0n;
      throw new Unresolved(word);
    }
    return variable.address ?? variable.value;
  }

  argument(line: OperationLine, key: string, otherwise: bigint): bigint {
    const text = line.values.get(key);
    return text === undefined ? otherwise : this.number(text);
  }

  integer(line: OperationLine, key: string, otherwise: number): number {
    return Number(BigInt.asUintN(32, this.argument(line, key, BigInt(otherwise))));
  }

  /** A file descriptor: 32 bits with sign. */
  descriptor(line: OperationLine, key: string): number {
    const text = line.values.get(key);
    if (text === undefined) throw new Unresolved(key);
    return Number(BigInt.asIntN(32, this.number(text)));
  }

  // ---------------------------------------------------------------------------------------------- memory

  /** mmap: anonymous memory at `address`, or below everything mapped so far. */
  map(name: string, size: bigint, address?: bigint, options: AreaOptions = {}): bigint {
    const rounded = (size + PAGE - 1n) & ~(PAGE - 1n);
    if (address === undefined) this.top -= rounded + PAGE;
    const start = address ?? this.top;
    this.unmap(start, rounded);
    if (options.accessible ?? true) {
      this.process.areas.push({
        start: start as VirtualAddress, size: rounded, kind: options.kind ?? 'anonymous', writable: options.writable ?? true, pieces: this.memory.pieces(rounded), name,
      });
    }
    this.variables.set(name, { value: size, address: start });
    return start;
  }

  /** munmap: areas that only partly go away are cut. */
  unmap(start: bigint, size: bigint): void {
    this.cut(start);
    this.cut(start + size);
    const { areas } = this.process;
    areas.splice(0, areas.length, ...areas.filter((area) => area.start < start || area.start >= start + size));
  }

  /** mprotect. */
  protect(start: bigint, size: bigint, writable: boolean): void {
    this.cut(start);
    this.cut(start + size);
    const { areas } = this.process;
    areas.forEach((area, i) => {
      if (area.start >= start && area.start < start + size) areas[i] = { ...area, writable };
    });
  }

  private cut(at: bigint): void {
    const { areas } = this.process;
    const area = this.process.areaAt(at);
    if (area === undefined || area.start === at) return;
    const before = at - area.start;
    const split = (from: bigint, size: bigint): MemoryArea => ({
      ...area, start: (area.start + from) as VirtualAddress, size,
      pieces: [...this.process.eachPiece(area.start + from, size, { read: true, write: false })].map(({ physical, size: bytes }) => ({ physical, size: bytes })),
    });
    areas.splice(areas.indexOf(area), 1, split(0n, before), split(before, area.size - before));
  }

  /** The buffer that an operation means: `vaddr`, `buf` and `off`, or a default one that grows. */
  bufferAddress(line: OperationLine, recordedAddress?: bigint): bigint {
    const vaddr = line.values.get('vaddr');
    if (vaddr !== undefined) return this.number(vaddr);
    const buffer = line.values.get('buf');
    if (buffer !== undefined) return (this.number(buffer) + this.argument(line, 'off', 0n)) & MASK;
    const asked = this.argument(line, 'size', this.argument(line, 'len', PAGE));
    const size = asked > 64n << 20n ? 64n << 20n : asked;
    const known = this.variables.get('_buf');
    const right = known !== undefined && known.value >= size && (recordedAddress === undefined || known.address === recordedAddress);
    if (right) return known.address!;
    return size === 0n ? 0n : this.map('_buf', size, recordedAddress);
  }
}

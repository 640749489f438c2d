/** How the unit reads its tables: in either byte order, below the physical address width, and with an eye on memory that fails. */
import { addressOf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { RiscvCapabilities } from './capabilities.js';
import type { MemoryFault, RiscvRegisters } from './registers.js';

export const LOADED = 0;
/** Nothing there, or nobody may read it. */
export const VIOLATION = 1;
/** Poisoned data. */
export const CORRUPTION = 2;

const NO_PAGE = new Uint32Array(1024);
const LARGEST = 64;

/** What was read last stays at hand, so that nothing is allocated for a request. */
export class TableMemory {
  private readonly physicalFrames: number;
  /** What is not as a little-endian processor would have it is put here first. */
  private readonly buffer = new Uint32Array(LARGEST / 4);
  /** Where the halves of what was read are, from index `first` on. */
  private source: Uint32Array = this.buffer;
  private first = 0;

  constructor(private readonly memory: PhysicalMemory, { physicalBits }: RiscvCapabilities, private readonly registers: RiscvRegisters) {
    this.physicalFrames = 2 ** (physicalBits - 12);
  }

  /**
   * Reads `size` bytes (4, or a multiple of 8 up to 64, not beyond the page); `half` gives them.
   * @returns LOADED, VIOLATION or CORRUPTION
   */
  load(frame: number, offset: number, size: number, bigEndian: boolean): number {
    if (frame >= this.physicalFrames) return VIOLATION;
    const page = this.memory.page(frame) ?? (this.memory.answers(frame) ? NO_PAGE : null);
    if (page === null) return VIOLATION;
    if (this.registers.memoryFaults.length > 0) {
      const failed = this.failure(frame, offset, size);
      if (failed !== LOADED) return failed;
    }
    if (bigEndian || size === 4) {
      this.copy(page, offset >>> 2, size >>> 2, bigEndian);
    } else {
      this.source = page;
      this.first = offset >>> 2;
    }
    return LOADED;
  }

  /** 32 bits of what was read last, the low half of each word first; of 4 bytes the high half is 0. */
  half(index: number): number {
    return this.source[this.first + index]!;
  }

  /** The same for who keeps them. */
  halves(count: number): number[] {
    return [...this.source.subarray(this.first, this.first + count)];
  }

  private copy(page: Uint32Array, first: number, count: number, bigEndian: boolean): void {
    const { buffer } = this;
    this.source = buffer;
    this.first = 0;
    if (count === 1) {
      buffer[0] = bigEndian ? swapped(page[first]!) : page[first]!;
      buffer[1] = 0;
      return;
    }
    for (let i = 0; i < count; i++) buffer[i] = swapped(page[first + (i ^ 1)]!);
  }

  /** Sets bits of the lowest byte of an entry of 4 or 8 bytes that has been read. */
  setBits(frame: number, offset: number, size: number, bigEndian: boolean, bits: number): void {
    const page = this.memory.pageForWriting(frame);
    const half = (offset >>> 2) + (bigEndian && size === 8 ? 1 : 0);
    page[half] = page[half]! | (bigEndian ? bits << 24 : bits);
  }

  private failure(frame: number, offset: number, size: number): number {
    const start = addressOf(frame, offset);
    const last = start + BigInt(size - 1);
    const touched = (fault: MemoryFault): boolean => fault.first <= last && start <= fault.last;
    const found = this.registers.memoryFaults.find(touched);
    if (found === undefined) return LOADED;
    return found.kind === 'violation' ? VIOLATION : CORRUPTION;
  }
}

const swapped = (half: number): number => ((half << 24) | ((half & 0xff00) << 8) | ((half >>> 8) & 0xff00) | (half >>> 24)) >>> 0;

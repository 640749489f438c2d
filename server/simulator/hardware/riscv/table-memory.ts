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

/** What was read last is in the fields, so that nothing is allocated for a request. */
export class TableMemory {
  /** Halves of what `load` read, low half first. */
  readonly halves = new Uint32Array(LARGEST / 4);
  private readonly physicalFrames: number;

  constructor(private readonly memory: PhysicalMemory, { physicalBits }: RiscvCapabilities, private readonly registers: RiscvRegisters) {
    this.physicalFrames = 2 ** (physicalBits - 12);
  }

  /**
   * Reads `size` bytes (4, or a multiple of 8 up to 64, not beyond the page) into `halves`.
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
    const { halves } = this;
    const first = offset >>> 2;
    if (size === 4) {
      halves[0] = bigEndian ? swapped(page[first]!) : page[first]!;
      halves[1] = 0;
      return LOADED;
    }
    for (let i = 0; i < size >>> 2; i++) halves[i] = bigEndian ? swapped(page[first + (i ^ 1)]!) : page[first + i]!;
    return LOADED;
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

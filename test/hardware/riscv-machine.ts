/** A RISC-V IOMMU whose tables are written by hand, for tests of its silicon. */
import type { UnitRequest } from '../../server/simulator/hardware/architecture.js';
import { decodeCapabilities, DIRECTORY, USUAL_CHOICES, type RiscvCapabilities, type RiscvChoices } from '../../server/simulator/hardware/riscv/capabilities.js';
import { RiscvUnit } from '../../server/simulator/hardware/riscv/unit.js';
import { physical } from '../../server/simulator/memory/address.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { kernel, Recorder, request, unitDescription } from './request.js';

/** Everything but QOSID and 32-bit modes; 56 bits of physical address. */
export const ALL_CAPABILITIES: RiscvCapabilities = { ...decodeCapabilities(0xff_ffff_ffff_ffffn), physicalBits: 56, qualityOfService: false };

/** Bits of a PTE. */
export const V = 1n;
export const R = 2n;
export const W = 4n;
export const X = 8n;
export const U = 0x10n;
export const G = 0x20n;
export const A = 0x40n;
export const D = 0x80n;
/** A page that a user may do everything with. */
export const PAGE = V | R | W | X | U | A | D;

/** Frames of the tables. */
export const AT = { directory: 0x100n, middle: 0x101n, contexts: 0x102n, process: 0x110n, first: 0x200n, second: 0x300n, files: 0x400n } as const;
export const DEVICE = 0x12345;

export const ppn = (frame: bigint): bigint => frame << 10n;
export const mode = (code: bigint, frame: bigint): bigint => (code << 60n) | frame;

export interface Context {
  tc?: bigint;
  iohgatp?: bigint;
  ta?: bigint;
  fsc?: bigint;
  msiptp?: bigint;
  mask?: bigint;
  pattern?: bigint;
  rest?: bigint;
}

export interface MachineOptions {
  readonly capabilities?: Partial<RiscvCapabilities>;
  readonly choices?: Partial<RiscvChoices>;
  /** Levels of the device directory, 1 to 3. */
  readonly levels?: number;
}

export class RiscvMachine {
  readonly memory = new PhysicalMemory();
  readonly unit: RiscvUnit;
  private readonly levels: number;

  constructor({ capabilities = {}, choices = {}, levels = 3 }: MachineOptions = {}) {
    this.unit = new RiscvUnit(unitDescription('riscv-iommu'), this.memory, kernel(6019), { capabilities: { ...ALL_CAPABILITIES, ...capabilities }, choices: { ...USUAL_CHOICES, ...choices } });
    this.levels = levels;
    this.point(BigInt(DIRECTORY.oneLevel + levels - 1));
  }

  /** Sets ddtp, by way of Off. */
  point(code: bigint): void {
    this.unit.registers.writeDirectoryPointer(0n);
    this.unit.registers.writeDirectoryPointer(code | ppn(AT.directory));
  }

  write(frame: bigint, index: number, ...words: bigint[]): void {
    words.forEach((word, i) => this.memory.writeWord(physical((frame << 12n) + BigInt(8 * (index + i))), word));
  }

  read(frame: bigint, index: number): bigint {
    return this.memory.readWord(physical((frame << 12n) + BigInt(8 * index)));
  }

  /** The context of the device, and the way to it, in the extended format. */
  context({ tc = V, iohgatp = 0n, ta = 0n, fsc = 0n, msiptp = 0n, mask = 0n, pattern = 0n, rest = 0n }: Context, device = DEVICE): this {
    const frames = [AT.directory, AT.middle, AT.contexts].slice(0, this.levels);
    const indexes = [device >> 15, (device >> 6) & 511].slice(2 - (this.levels - 1));
    indexes.forEach((index, i) => this.write(frames[i]!, index, V | ppn(frames[i + 1]!)));
    this.write(frames.at(-1)!, (device & 63) * 8, tc, iohgatp, ta, fsc, msiptp, mask, pattern, rest);
    return this;
  }

  /** Sv39: `address` leads to `leaf`; tables are the frames from `root` on. Second stages have wide roots. */
  map(root: bigint, address: bigint, leaf: bigint, levels = 3): this {
    for (let level = levels - 1; level > 0; level--) {
      const table = root + BigInt(levels - 1 - level) * 4n;
      this.write(table, Number((address >> BigInt(12 + 9 * level)) & (level === levels - 1 ? 2047n : 511n)), V | ppn(table + 4n));
    }
    this.write(root + BigInt(levels - 1) * 4n, Number((address >> 12n) & 511n), leaf);
    return this;
  }

  ask(access: UnitRequest['access'], address: bigint, changes: Partial<UnitRequest> = {}): UnitRequest {
    return request(DEVICE, access, address, changes);
  }

  /** "0x1000 rw", "258", "258 unrecorded", "interrupt", "blocked". */
  outcome(asked: UnitRequest): string {
    const answer = this.unit.translate(asked, null);
    switch (answer.kind) {
      case 'address': return `0x${answer.address.toString(16)} ${answer.read ? 'r' : '-'}${answer.write ? 'w' : '-'}`;
      case 'fault': return `${answer.code}${answer.value ? ` at 0x${answer.value.toString(16)}` : ''}${answer.recorded ? '' : ' unrecorded'}`;
      default: return answer.kind;
    }
  }

  reads(asked: UnitRequest): number {
    const recorder = new Recorder();
    this.unit.translate(asked, recorder);
    return recorder.reads().length;
  }
}

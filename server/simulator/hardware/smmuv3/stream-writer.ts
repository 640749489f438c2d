/** The stream table that Linux writes (LA-P1, LA-P2, SMMU 2.2). */
import { addressOf, frameHigh, frameLow, frameOf, frameOfEntry } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { DeviceEntry } from '../architecture.js';
import { OUTPUT_WIDTHS, type SmmuCapabilities } from './capabilities.js';
import { ContextWriter } from './context-writer.js';
import type { SmmuDriver } from './driver.js';
import type { SmmuRegisters } from './registers.js';
import { ATS, CONFIG, GRANULE_BY_TG0, WITHOUT_SUBSTREAM } from './stream-entry.js';
import { StageOneTable, StageTwoTable } from './tables.js';

/** log2 of the STEs below one level 1 descriptor: a PCI bus. */
const SPLIT = 8;
const STREAMS_IN_LEAF = 2 ** SPLIT;
const LARGEST_DIRECTORY_BITS = 17;
const ENTRY_HALVES = 16;
/** STEs in a 4 KiB frame, and level 1 descriptors. */
const PER_FRAME = 64;
const DESCRIPTORS_PER_FRAME = 512;
/** Span of a full leaf. */
const SPAN = SPLIT + 1;

const VALID = 1;
/** STE word 1: S1CIR and S1COR write-back, S1CSH inner shareable; S1STALLD; SHCFG as the request says. */
const CONTEXT_ATTRIBUTES = (1 << 2) | (1 << 4) | (3 << 6);
const NO_STALL = 1 << 27;
const INCOMING_SHAREABILITY_HIGH = 1 << 12;
/** STE word 2, high half: walk attributes, S2AA64, S2PTW, S2R. */
const STAGE_TWO_FLAGS = (1 << 8) | (1 << 10) | (3 << 12) | (1 << 19) | (1 << 22) | (1 << 26);
/** By S2TG: S2SL0 of level 3, less than which each level above is one more. */
const LEVEL_OF_SL0_ZERO = [2, 3, 3] as const;

/** What a stream was given. */
interface Stream {
  entry: DeviceEntry;
  /** S1CDMax: PASIDs of the device are below 2^bits. */
  bits: number;
  /** Its PASIDs use ATS. */
  pasidAts: boolean;
  contexts: ContextWriter | null;
}

export class StreamWriter {
  private readonly root: number;
  private readonly twoLevel: boolean;
  private readonly log2Size: number;
  private readonly streams = new Map<number, Stream>();

  constructor(private readonly memory: PhysicalMemory, private readonly hardware: SmmuCapabilities, private readonly driver: SmmuDriver) {
    this.twoLevel = hardware.streamBits > SPLIT;
    this.log2Size = this.twoLevel ? Math.min(hardware.streamBits, LARGEST_DIRECTORY_BITS + SPLIT) : hardware.streamBits;
    const frames = Math.max(1, this.twoLevel ? 2 ** (this.log2Size - SPLIT) / DESCRIPTORS_PER_FRAME : 2 ** this.log2Size / PER_FRAME);
    this.root = memory.allocate(frames, frames);
  }

  /** STRTAB_BASE and STRTAB_BASE_CFG. */
  program(registers: SmmuRegisters): void {
    registers.streamTable = addressOf(this.root);
    registers.streamTableConfig = this.log2Size | (this.twoLevel ? (SPLIT << 6) | (1 << 16) : 0);
  }

  /** @param pasids of the device are below this number. Streams that the table does not reach have no entry. */
  write(stream: number, entry: DeviceEntry, pasids: number): void {
    if (stream >= 2 ** this.log2Size) return;
    const bits = Math.min(this.hardware.substreamBits, pasids > 1 ? Math.ceil(Math.log2(pasids)) : 0);
    const known = this.streams.get(stream) ?? { entry, bits, pasidAts: false, contexts: null };
    known.entry = entry;
    known.bits = bits;
    this.streams.set(stream, known);
    if (known.contexts !== null && known.contexts.bits < bits && !known.contexts.hasPasids) known.contexts = null;
    if (entry.kind === 'paging' && entry.table instanceof StageOneTable) {
      known.contexts ??= new ContextWriter(this.memory, this.hardware, bits);
      known.contexts.write(0, entry.table, entry.domainId & 0xffff);
    } else {
      known.contexts?.write(0, null, 0);
    }
    this.writeEntry(stream, known);
  }

  /** @param pasid not 0 */
  writePasid(stream: number, pasid: number, entry: DeviceEntry): void {
    const known = this.streams.get(stream);
    if (known === undefined) return;
    known.contexts ??= new ContextWriter(this.memory, this.hardware, known.bits);
    const table = entry.kind === 'paging' && entry.table instanceof StageOneTable ? entry.table : null;
    known.pasidAts = (entry.kind === 'paging' && entry.ats) || (known.pasidAts && known.contexts.hasPasids);
    known.contexts.write(pasid, table, entry.kind === 'paging' ? entry.domainId & 0xffff : 0);
    this.writeEntry(stream, known);
  }

  /** PAS-16: whether a PASID of the stream can have tables: the device itself is in a stage 1, or where the driver can do it in an identity or blocked domain. */
  takesPasids(stream: number): boolean {
    const entry = this.streams.get(stream)?.entry;
    if (entry?.kind === 'paging') return entry.table instanceof StageOneTable;
    return entry !== undefined && this.driver.pasidsBesideIdentity;
  }

  private writeEntry(stream: number, { entry, contexts, pasidAts }: Stream): void {
    const { page, at } = this.place(stream);
    page.fill(0, at, at + ENTRY_HALVES);
    if (entry.kind === 'paging' && entry.table instanceof StageTwoTable) return this.writeStageTwo(page, at, entry.table, entry);
    if (contexts !== null && (entry.kind === 'paging' || contexts.hasPasids)) return this.writeStageOne(page, at, entry, contexts, pasidAts);
    // LA: where nothing translates, a stream is let through or aborted.
    page[at] = VALID | (entry.kind === 'identity' ? CONFIG.bypass << 1 : 0);
    if (entry.kind === 'identity') page[at + 3] = INCOMING_SHAREABILITY_HIGH;
  }

  private writeStageOne(page: Uint32Array, at: number, entry: DeviceEntry, { format, root, bits, hasPasids }: ContextWriter, pasidAts: boolean): void {
    const ats = this.hardware.ats && ((entry.kind === 'paging' && entry.ats) || (pasidAts && hasPasids));
    page[at] = VALID | (CONFIG.stageOne << 1) | (format << 4) | frameLow(root);
    page[at + 1] = frameHigh(root) | (bits << 27);
    page[at + 2] = WITHOUT_PASID[entry.kind] | CONTEXT_ATTRIBUTES | (this.hardware.stallModel === 0 ? NO_STALL : 0) | (ats ? ATS.full << 28 : 0);
  }

  private writeStageTwo(page: Uint32Array, at: number, table: StageTwoTable, { ats, domainId }: DeviceEntry & { kind: 'paging' }): void {
    const { granule, inputBits, startLevel } = table.shape;
    const tg = GRANULE_BY_TG0.findIndex((known) => known === granule);
    const ps = OUTPUT_WIDTHS.indexOf(this.hardware.outputWidth as (typeof OUTPUT_WIDTHS)[number]);
    const frame = frameOf(table.root);
    page[at] = VALID | (CONFIG.stageTwo << 1);
    page[at + 2] = ats && this.hardware.ats ? ATS.full << 28 : 0;
    page[at + 4] = domainId & 0xffff;
    page[at + 5] = (64 - inputBits) | ((LEVEL_OF_SL0_ZERO[tg]! - startLevel) << 6) | (tg << 14) | (ps << 16) | STAGE_TWO_FLAGS;
    page[at + 6] = frameLow(frame);
    page[at + 7] = frameHigh(frame);
  }

  private place(stream: number): { page: Uint32Array; at: number } {
    const first = this.twoLevel ? this.leaf(Math.floor(stream / STREAMS_IN_LEAF)) : this.root;
    const index = this.twoLevel ? stream % STREAMS_IN_LEAF : stream;
    return { page: this.memory.pageForWriting(first + Math.floor(index / PER_FRAME)), at: ENTRY_HALVES * (index % PER_FRAME) };
  }

  /** Frame of the STEs of 256 streams, made when the first of them is needed; they abort until they are written. */
  private leaf(slot: number): number {
    const page = this.memory.pageForWriting(this.root + Math.floor(slot / DESCRIPTORS_PER_FRAME));
    const half = 2 * (slot % DESCRIPTORS_PER_FRAME);
    if (page[half] === 0) {
      const fresh = this.memory.allocate(STREAMS_IN_LEAF / PER_FRAME, STREAMS_IN_LEAF / PER_FRAME);
      for (let i = 0; i < STREAMS_IN_LEAF / PER_FRAME; i++) this.abortAll(fresh + i);
      page[half] = frameLow(fresh) | SPAN;
      page[half + 1] = frameHigh(fresh);
    }
    return frameOfEntry(page[half]!, page[half + 1]!);
  }

  private abortAll(frame: number): void {
    const page = this.memory.pageForWriting(frame);
    for (let at = 0; at < PER_FRAME * ENTRY_HALVES; at += ENTRY_HALVES) page[at] = VALID;
  }
}

/** S1DSS by what the device itself is given. */
const WITHOUT_PASID = { paging: WITHOUT_SUBSTREAM.contextZero, identity: WITHOUT_SUBSTREAM.bypass, blocked: WITHOUT_SUBSTREAM.terminate } as const;

/** The second-stage walk: guest physical to physical (RVI 4.7). Also goes below first stage and process directory, as an implicit read. */
import type { SubjectId } from '../../description.js';
import type { TraceSink } from '../../trace/events.js';
import type { RiscvChoices } from './capabilities.js';
import { CONTROL, type DeviceDirectory } from './device-directory.js';
import { secondStageLayout } from './layouts.js';
import { indexIn, LOW_FRAMES } from './modes.js';
import { alignmentFlaw, bitsToSet, ENTRY, type EntryRules, FLAW, frameOfPpn, isLeaf, missingPermission } from './page-entry.js';
import type { RiscvRegisters } from './registers.js';
import { LOADED, type TableMemory } from './table-memory.js';
import { WALK, WalkedPage } from './walked-page.js';

/** What the unit itself reads on behalf of a request. */
export const IMPLICIT = { no: 0, processDirectory: 1, pageTable: 2 } as const;

/** Bits of guest physical address where the first stage is a 32-bit one (SXL). */
const NARROW_GUEST_FRAMES = 2 ** (34 - 12);
/** Page numbers of physical memory have 44 bits, also where nobody translates. */
const PHYSICAL_PAGES = 2 ** 44;

/**
 * Whether a dirty bit that a translation request has just set lets its own answer allow writing. The specification reads so; the reference
 * model answers from the entry as it was, and its record decides.
 */
export const FRESH_DIRTY_COUNTS = false;

export interface SecondStageNeed {
  /** ENTRY.read, write and execute of the request. */
  readonly bits: number;
  /** False for translation requests, which are told what there is. */
  readonly checked: boolean;
}

export const IMPLICIT_READ: SecondStageNeed = { bits: ENTRY.read, checked: true };

/** `frame` is a physical one. */
export class SecondStage extends WalkedPage {
  constructor(
    private readonly tables: TableMemory,
    private readonly rules: EntryRules,
    private readonly registers: RiscvRegisters,
    private readonly choices: RiscvChoices,
    unit: SubjectId,
  ) {
    super(unit, 'RVI 4.7');
  }

  /** @param frame of the guest @param implicit of IMPLICIT @returns one of WALK */
  walk(device: DeviceDirectory, frame: number, need: SecondStageNeed, implicit: number, sink: TraceSink | null): number {
    const mode = device.secondStage;
    this.outOfRange = mode !== undefined && (frame >= mode.reach || (device.has(CONTROL.sxl) && frame >= NARROW_GUEST_FRAMES));
    if (this.outOfRange) return WALK.pageFault;
    if (mode === undefined) return this.passes(frame % PHYSICAL_PAGES, this.choices.bareSecondShift);
    const big = this.registers.bigEndian;
    const below = frame % LOW_FRAMES;
    const above = Math.floor(frame / LOW_FRAMES);
    let table = device.secondRoot;
    for (let level = mode.levels - 1; ; level--) {
      const at = indexIn(mode, below, above, level) * mode.entryBytes;
      // The root is four pages.
      const page = table + (at >>> 12);
      const loaded = this.tables.load(page, at & 0xfff, mode.entryBytes, big);
      if (loaded !== LOADED) return this.unreadable(sink, { layout: secondStageLayout(mode, level, false), frame: page, at, entryBytes: mode.entryBytes }, loaded);
      const low = this.tables.half(0);
      const high = this.tables.half(1);
      let flaw = this.rules.flawOf(low, high, level);
      const leaf = isLeaf(low);
      if (leaf && flaw === FLAW.none) flaw = this.leafFlaw(low, high, mode.frames[level]!, need);
      const missing = leaf && flaw === FLAW.none ? this.toSet(low, need, implicit, device) : 0;
      if (missing !== 0 && !device.has(CONTROL.gade)) flaw = (missing & ENTRY.accessed) !== 0 ? FLAW.notAccessed : FLAW.notDirty;
      if (sink !== null) this.trace(sink, { layout: secondStageLayout(mode, level, leaf), frame: page, at, entryBytes: mode.entryBytes }, [low, high], leaf, flaw, missing);
      if (flaw !== FLAW.none) return WALK.pageFault;
      if (leaf) {
        if (missing !== 0) this.tables.setBits(page, at & 0xfff, mode.entryBytes, big, missing);
        this.finish(FRESH_DIRTY_COUNTS || need.checked ? low | missing : low, high, frame, mode, level);
        return WALK.done;
      }
      table = frameOfPpn(low, high);
    }
  }

  private leafFlaw(low: number, high: number, frames: number, need: SecondStageNeed): number {
    const permission = need.checked ? missingPermission(low, need.bits) : FLAW.none;
    if (permission !== FLAW.none) return permission;
    return (low & ENTRY.user) === 0 ? FLAW.supervisorOnly : alignmentFlaw(low, high, frames);
  }

  /**
   * A page of first-stage tables has to be dirty where the unit sets first-stage bits, because an entry in it may be changed next; and, as the
   * reference model has it, it becomes dirty together with accessed.
   */
  private toSet(low: number, need: SecondStageNeed, implicit: number, device: DeviceDirectory): number {
    const willWrite = implicit === IMPLICIT.pageTable && (device.has(CONTROL.sade) || (low & ENTRY.accessed) === 0);
    return bitsToSet(low, (need.bits & ENTRY.write) !== 0 || willWrite);
  }
}

/** The first-stage walk (RVI 4.6): entries as a hart's have them. With a second stage, every table address goes through that first. */
import type { SubjectId } from '../../description.js';
import { frameOf } from '../../memory/frame.js';
import type { TraceSink } from '../../trace/events.js';
import type { RiscvChoices } from './capabilities.js';
import { CONTROL, type DeviceDirectory } from './device-directory.js';
import { firstStageLayout } from './layouts.js';
import { indexIn, LOW_FRAMES, type PagingMode } from './modes.js';
import { alignmentFlaw, bitsToSet, ENTRY, type EntryRules, FLAW, frameOfPpn, isLeaf, missingPermission } from './page-entry.js';
import { FRESH_DIRTY_COUNTS, IMPLICIT, IMPLICIT_READ, type SecondStage, type SecondStageNeed } from './second-stage.js';
import { LOADED, type TableMemory } from './table-memory.js';
import { WALK, WalkedPage } from './walked-page.js';

export interface FirstStageNeed extends SecondStageNeed {
  readonly privileged: boolean;
  /** PC.ta.SUM: privileged requests may go to pages of users, but not execute them. */
  readonly userPages: boolean;
}

const WRITTEN = ENTRY.write | ENTRY.dirty;
/** Frames that 64-bit addresses reach. */
const ALL_FRAMES = 2 ** 52;

/** `frame` is a physical one, or what the second stage still has to translate. */
export class FirstStage extends WalkedPage {
  global = false;
  /** After a guest page fault: the guest physical address of the entry, and whether it was to be written. */
  faultFrame = 0;
  faultOffset = 0;
  faultWrites = false;

  constructor(
    private readonly tables: TableMemory,
    private readonly rules: EntryRules,
    private readonly secondStage: SecondStage,
    private readonly choices: RiscvChoices,
    unit: SubjectId,
  ) {
    super(unit, 'RVI 4.6');
  }

  /** @param mode undefined = Bare @returns one of WALK */
  walk(mode: PagingMode | undefined, root: number, device: DeviceDirectory, address: bigint, need: FirstStageNeed, sink: TraceSink | null): number {
    const frame = frameOf(address);
    this.global = mode === undefined;
    this.outOfRange = mode !== undefined && !isCanonical(mode, frame);
    if (this.outOfRange) return WALK.pageFault;
    if (mode === undefined) return this.passes(frame, this.choices.bareFirstShift);
    const big = device.has(CONTROL.sbe);
    const nested = device.secondStage !== undefined;
    const below = frame % LOW_FRAMES;
    const above = Math.floor(frame / LOW_FRAMES);
    let table = root;
    for (let level = mode.levels - 1; ; level--) {
      const at = indexIn(mode, below, above, level) * mode.entryBytes;
      if (nested) {
        const located = this.secondStage.walk(device, table, IMPLICIT_READ, IMPLICIT.pageTable, sink);
        if (located !== WALK.done) return located === WALK.pageFault ? this.guestPageFault(table, at, false) : located;
      }
      const page = nested ? this.secondStage.frame : table;
      const loaded = this.tables.load(page, at, mode.entryBytes, big);
      if (loaded !== LOADED) return this.unreadable(sink, { layout: firstStageLayout(mode, level, false), frame: page, at, entryBytes: mode.entryBytes }, loaded);
      const low = this.tables.half(0);
      const high = this.tables.half(1);
      const leaf = isLeaf(low);
      let flaw = this.rules.flawOf(low, high, level);
      if (leaf && flaw === FLAW.none) flaw = leafFlaw(low, high, mode.frames[level]!, need);
      const missing = leaf && flaw === FLAW.none ? bitsToSet(low, (need.bits & ENTRY.write) !== 0) : 0;
      if (missing !== 0) flaw = this.updateFlaw(missing, device);
      if (sink !== null) this.trace(sink, { layout: firstStageLayout(mode, level, leaf), frame: page, at, entryBytes: mode.entryBytes }, [low, high], leaf, flaw, missing);
      if (flaw === FLAW.tableReadOnly) return this.guestPageFault(table, at, true);
      if (flaw !== FLAW.none) return WALK.pageFault;
      if ((low & ENTRY.global) !== 0) this.global = true;
      if (leaf) {
        if (missing !== 0) this.tables.setBits(page, at, mode.entryBytes, big, missing);
        this.finish(FRESH_DIRTY_COUNTS || need.checked ? low | missing : low, high, frame, mode, level);
        return WALK.done;
      }
      table = frameOfPpn(low, high);
    }
  }

  /** F6: who may set accessed and dirty bits, and whether the second stage lets the table be written: a write needs W and D there. */
  private updateFlaw(missing: number, device: DeviceDirectory): number {
    if (!device.has(CONTROL.sade)) return (missing & ENTRY.accessed) !== 0 ? FLAW.notAccessed : FLAW.notDirty;
    return device.secondStage === undefined || (this.secondStage.leaf & WRITTEN) === WRITTEN ? FLAW.none : FLAW.tableReadOnly;
  }

  private guestPageFault(table: number, at: number, writes: boolean): number {
    this.faultFrame = table;
    this.faultOffset = at;
    this.faultWrites = writes;
    return WALK.guestPageFault;
  }
}

/** Bits above the translated ones repeat the highest of those; Sv32 has addresses of 32 bits. */
function isCanonical({ reach, entryBytes }: PagingMode, frame: number): boolean {
  if (entryBytes === 4) return frame < reach;
  const half = reach / 2;
  return frame < half || frame >= ALL_FRAMES - half;
}

/** F2 to F5, in this order. */
function leafFlaw(low: number, high: number, frames: number, need: FirstStageNeed): number {
  const permission = need.checked ? missingPermission(low, need.bits) : FLAW.none;
  if (permission !== FLAW.none) return permission;
  const user = (low & ENTRY.user) !== 0;
  if (!need.privileged) {
    if (!user) return FLAW.supervisorOnly;
  } else if (user && ((need.bits & ENTRY.execute) !== 0 || !need.userPages)) {
    return FLAW.userPage;
  }
  return alignmentFlaw(low, high, frames);
}

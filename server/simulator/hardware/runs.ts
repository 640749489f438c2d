/** Joins leaves, given in IOVA order, into the runs that a person would call mappings. */
import type { SubjectId } from '../description.js';
import type { Iova, PhysicalAddress } from '../memory/address.js';
import { addressOf } from '../memory/frame.js';
import type { MappedRun } from './architecture.js';
import { permissionOf } from './entry-read.js';

interface OpenRun {
  readonly first: number;
  /** Frame after the last. */
  end: number;
  readonly target: number;
  readonly bits: number;
  /** Bit n: a leaf of 2^(n+12) bytes. */
  shifts: Set<number>;
  readonly origin: SubjectId | undefined;
}

export class RunCollector {
  private readonly runs: MappedRun[] = [];
  private total = 0;
  private open: OpenRun | null = null;
  /** What the last question for an origin answered, good up to and including its `last`. */
  private known: { readonly last: bigint; readonly value: SubjectId } | undefined;

  constructor(
    private readonly limit: number,
    private readonly originAt: (iova: bigint) => { readonly last: bigint; readonly value: SubjectId } | undefined,
  ) {}

  /** A leaf of 2^`shift` bytes from frame `at` to frame `target`. */
  add(at: number, target: number, shift: number, bits: number): void {
    const origin = this.originOf(at);
    const frames = 2 ** (shift - 12);
    const { open } = this;
    if (open !== null && open.end === at && open.target + (at - open.first) === target && open.bits === bits && open.origin === origin) {
      open.end += frames;
      open.shifts.add(shift);
      return;
    }
    this.close();
    this.open = { first: at, end: at + frames, target, bits, shifts: new Set([shift]), origin };
  }

  finish(): { runs: readonly MappedRun[]; total: number } {
    this.close();
    return { runs: this.runs, total: this.total };
  }

  private originOf(at: number): SubjectId | undefined {
    const iova = addressOf(at);
    if (this.known === undefined || this.known.last < iova) this.known = this.originAt(iova);
    return this.known?.value;
  }

  private close(): void {
    const { open } = this;
    if (open === null) return;
    this.total++;
    if (this.runs.length < this.limit) {
      this.runs.push({
        iova: { start: addressOf(open.first) as Iova, last: addressOf(open.end - 1, 0xfff) as Iova },
        physical: addressOf(open.target) as PhysicalAddress,
        permission: permissionOf(open.bits),
        pageSizes: [...open.shifts].sort((a, b) => a - b).map((shift) => 1n << BigInt(shift)),
        ...(open.origin !== undefined && { origin: open.origin }),
      });
    }
    this.open = null;
  }
}

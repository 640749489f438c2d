/** Which pages of a memory object are pinned, by how many holders, and what is behind them (IOP-30). */
import { PAGE_SIZE, type PhysicalAddress } from '../../memory/address.js';

/** Consecutive pages, contiguous in physical memory. Page numbers count from the object's first page. */
export interface PinnedRun {
  readonly first: number;
  readonly last: number;
  /** Of the first page. */
  readonly physical: PhysicalAddress;
  /** Areas with domains, and accesses, that hold these pages; 0 for what is about to be pinned. */
  readonly holders: number;
}

export const pagesOf = (runs: readonly PinnedRun[]): number => runs.reduce((sum, { first, last }) => sum + (last - first + 1), 0);

const physicalAt = (run: PinnedRun, page: number): PhysicalAddress => (run.physical + BigInt(page - run.first) * PAGE_SIZE) as PhysicalAddress;
const within = (run: PinnedRun, first: number, last: number): PinnedRun =>
  first <= run.first && run.last <= last ? run : { ...run, first: Math.max(first, run.first), last: Math.min(last, run.last), physical: physicalAt(run, Math.max(first, run.first)) };
const continues = (a: PinnedRun, b: PinnedRun): boolean => a.last + 1 === b.first && a.holders === b.holders && physicalAt(a, b.first) === b.physical;

export class PinnedRuns {
  /** Disjoint and ascending. Most objects are pinned as a whole and have one run for each piece of memory. */
  private runs: readonly PinnedRun[] = [];

  /** What is pinned of the pages, cut at the ends. */
  *overlapping(first: number, last: number): Generator<PinnedRun> {
    for (let i = this.indexAt(first); i < this.runs.length && this.runs[i]!.first <= last; i++) yield within(this.runs[i]!, first, last);
  }

  /** One holder more for every page of the range; `fresh` are the runs that nobody holds yet. */
  hold(first: number, last: number, fresh: readonly PinnedRun[]): void {
    const all = [...this.overlapping(first, last), ...fresh].sort((a, b) => a.first - b.first);
    this.replace(first, last, all.map((run) => ({ ...run, holders: run.holders + 1 })));
  }

  /** One holder fewer. @returns pages that nobody holds any more */
  release(first: number, last: number): number {
    const runs = [...this.overlapping(first, last)];
    this.replace(first, last, runs.filter((run) => run.holders > 1).map((run) => ({ ...run, holders: run.holders - 1 })));
    return pagesOf(runs.filter((run) => run.holders === 1));
  }

  /** Puts `middle` where the range was; runs that reach over its ends keep what is outside. */
  private replace(first: number, last: number, middle: readonly PinnedRun[]): void {
    const from = this.indexAt(first);
    const to = this.indexAt(last + 1);
    const left = this.runs[from];
    const right = this.runs[to];
    const before = left !== undefined && left.first < first ? [within(left, left.first, first - 1)] : [];
    const reachesOver = right !== undefined && right.first <= last;
    const after = reachesOver ? [within(right, last + 1, right.last)] : [];
    this.runs = this.runs.slice(0, from).concat(joined(before.concat(middle, after)), this.runs.slice(reachesOver ? to + 1 : to));
  }

  /** Index of the first run that does not end before `page`. */
  private indexAt(page: number): number {
    let low = 0;
    let high = this.runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.runs[middle]!.last >= page) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Neighbours that differ in nothing are one run. */
function joined(runs: readonly PinnedRun[]): PinnedRun[] {
  const result: PinnedRun[] = [];
  for (const run of runs) {
    const before = result.at(-1);
    if (before !== undefined && continues(before, run)) result[result.length - 1] = { ...before, last: run.last };
    else result.push(run);
  }
  return result;
}

import type { DirtyRun } from '../../container.js';

/** Which pages of one mapping are dirty, as type1 tracks it: no hardware bits, only what is pinned or was written by the CPU (VFT-58). */
export class DirtyPages {
  private readonly pages: Set<number>;
  private all = false;

  constructor(pinned: Iterable<number>) {
    this.pages = new Set(pinned);
  }

  mark(page: number): void {
    this.pages.add(page);
  }

  /** VFT-59: a group that never pins was here: everything may have been written. */
  markAll(): void {
    this.all = true;
  }

  /** Dirty pages of first .. last, as ascending runs. */
  runs(first: number, last: number, everything: boolean): DirtyRun[] {
    if (everything || this.all) return [{ first, last }];
    const runs: { first: number; last: number }[] = [];
    for (const page of [...this.pages].filter((each) => each >= first && each <= last).sort((a, b) => a - b)) {
      const run = runs.at(-1);
      if (run !== undefined && run.last === page - 1) run.last = page;
      else runs.push({ first: page, last: page });
    }
    return runs;
  }

  /** VFT-58: after it was read, only what is pinned now stays dirty. */
  reset(pinned: Iterable<number>): void {
    this.all = false;
    this.pages.clear();
    for (const page of pinned) this.pages.add(page);
  }
}

/** A space of numbers of which the lowest free one is taken next, as the kernel's `xa_alloc` and `ida_alloc_range` do. */

interface Run {
  first: number;
  last: number;
}

export class IdSpace {
  /** Taken numbers as runs: ascending, disjoint, with a gap between each two. */
  private readonly runs: Run[] = [];

  get empty(): boolean {
    return this.runs.length === 0;
  }

  has(id: number): boolean {
    const run = this.runs[this.runFrom(id)];
    return run !== undefined && run.first <= id;
  }

  /** Takes the lowest free number of [min, max]; null when there is none. */
  take(min: number, max: number): number | null {
    const at = this.runFrom(min);
    const run = this.runs[at];
    const id = run !== undefined && run.first <= min ? run.last + 1 : min;
    if (id > max) return null;
    this.add(id);
    return id;
  }

  /** @returns false when it was not taken */
  giveBack(id: number): boolean {
    const at = this.runFrom(id);
    const run = this.runs[at];
    if (run === undefined || run.first > id) return false;
    const parts = [{ first: run.first, last: id - 1 }, { first: id + 1, last: run.last }].filter(({ first, last }) => first <= last);
    this.runs.splice(at, 1, ...parts);
    return true;
  }

  /** A free number joins the runs beside it. */
  private add(id: number): void {
    const at = this.runFrom(id);
    const before = this.runs[at - 1];
    const after = this.runs[at];
    const joinsBefore = before?.last === id - 1;
    const joinsAfter = after?.first === id + 1;
    if (joinsBefore && joinsAfter) {
      before.last = after.last;
      this.runs.splice(at, 1);
    } else if (joinsBefore) before.last = id;
    else if (joinsAfter) after.first = id;
    else this.runs.splice(at, 0, { first: id, last: id });
  }

  /** Index of the first run that does not end before `id`. */
  private runFrom(id: number): number {
    let low = 0;
    let high = this.runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.runs[middle]!.last < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

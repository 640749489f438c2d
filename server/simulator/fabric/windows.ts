/** The memory ranges that bridges pass downwards (PCIE-20), and who decodes an address. */
import type { BarDescription, FunctionDescription, SubjectId } from '../description.js';
import type { AddressRange } from '../memory/address.js';
import type { Topology } from './topology.js';

export interface ClaimedBar {
  readonly fn: FunctionDescription;
  readonly bar: BarDescription;
}

/** Windows open in steps of 1 MiB. */
const WINDOW_STEP = 0x10_0000n;

const roundOut = ({ start, last }: AddressRange): AddressRange => ({ start: start - (start % WINDOW_STEP), last: last - (last % WINDOW_STEP) + (WINDOW_STEP - 1n) });

const includes = ({ start, last }: AddressRange, address: bigint): boolean => start <= address && address <= last;

/** Per kind of window the hull of what has to pass; bridges have one of each. */
interface Hulls {
  plain: AddressRange | null;
  prefetchable: AddressRange | null;
}

const hull = (a: AddressRange | null, b: AddressRange | null): AddressRange | null =>
  a === null || b === null ? (a ?? b) : { start: a.start < b.start ? a.start : b.start, last: a.last > b.last ? a.last : b.last };

/** Bridge windows and BARs of one topology, ready to be asked. */
export class AddressMap {
  /** Ascending by start; of BARs that overlap the first described answers. */
  private readonly claims: readonly ClaimedBar[];
  /** Highest last address among the claims up to each position: bounds the search backwards. */
  private readonly reach: readonly bigint[];
  private readonly bridgeWindows = new Map<SubjectId, readonly AddressRange[]>();

  constructor(private readonly topology: Topology) {
    const claims: ClaimedBar[] = [];
    for (const fn of topology.functions) for (const bar of fn.bars) claims.push({ fn, bar });
    this.claims = claims.sort((a, b) => (a.bar.range.start < b.bar.range.start ? -1 : a.bar.range.start > b.bar.range.start ? 1 : 0));
    let highest = -1n;
    this.reach = this.claims.map(({ bar }) => (highest = bar.range.last > highest ? bar.range.last : highest));
    this.computeWindows();
  }

  /** The BAR that decodes `address`. */
  claim(address: bigint): ClaimedBar | null {
    let found: ClaimedBar | null = null;
    for (let at = this.lastStartingAtOrBelow(address); at >= 0 && this.reach[at]! >= address; at--) {
      const claim = this.claims[at]!;
      if (includes(claim.bar.range, address) && (found === null || this.topology.order(claim.fn) < this.topology.order(found.fn))) found = claim;
    }
    return found;
  }

  /** Memory windows of a bridge: as described, else computed from the BARs below it. Empty: closed. */
  windows(bridge: FunctionDescription): readonly AddressRange[] {
    return this.bridgeWindows.get(bridge.id) ?? [];
  }

  inWindow(bridge: FunctionDescription, address: bigint): boolean {
    return this.windows(bridge).some((window) => includes(window, address));
  }

  /** The function's own BAR at `address`. */
  ownBar(fn: FunctionDescription, address: bigint): BarDescription | undefined {
    return fn.bars.find(({ range }) => includes(range, address));
  }

  private lastStartingAtOrBelow(address: bigint): number {
    let low = 0;
    let high = this.claims.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.claims[middle]!.bar.range.start <= address) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** From the leaves upwards: what a bridge has to pass is what its children decode and pass. */
  private computeWindows(): void {
    const needs = new Map<SubjectId, Hulls>();
    for (const fn of this.topology.functions.toReversed()) {
      const below = needs.get(fn.id);
      const windows = fn.windows.length > 0 || below === undefined ? fn.windows : computed(below);
      if (windows.length > 0) this.bridgeWindows.set(fn.id, windows.map((window) => window.range));
      const above = windows.length > 0 || fn.bars.length > 0 ? this.topology.upstream(fn) : null;
      if (above === null) continue;
      let hulls = needs.get(above.id);
      if (hulls === undefined) needs.set(above.id, (hulls = { plain: null, prefetchable: null }));
      for (const { range, prefetchable } of [...fn.bars, ...windows]) {
        if (prefetchable) hulls.prefetchable = hull(hulls.prefetchable, range);
        else hulls.plain = hull(hulls.plain, range);
      }
    }
  }
}

function computed({ plain, prefetchable }: Hulls): { readonly range: AddressRange; readonly prefetchable: boolean }[] {
  const windows: { range: AddressRange; prefetchable: boolean }[] = [];
  if (plain !== null) windows.push({ range: roundOut(plain), prefetchable: false });
  if (prefetchable !== null) windows.push({ range: roundOut(prefetchable), prefetchable: true });
  return windows;
}

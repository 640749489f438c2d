/** The mappings of a container, as each era of kernels finds them. */
import type { AddressRange } from '../../../memory/address.js';
import { IntervalMap } from '../../../memory/interval-map.js';
import type { Mapping } from './mapping.js';

export interface MappingRecords {
  readonly size: number;
  /** Some mapping that shares an address with the range. */
  overlap(range: AddressRange): Mapping | undefined;
  /** Every such mapping, ascending. The one that was given may be removed meanwhile. */
  overlapping(range: AddressRange): Iterable<Mapping>;
  at(address: bigint): Mapping | undefined;
  /** Ascending. The one that was given may be removed meanwhile. */
  entries(): Iterable<Mapping>;
  insert(mapping: Mapping): void;
  remove(mapping: Mapping): void;
}

/** Since 6.18: every mapping is found, the lowest first. */
export class SortedRecords implements MappingRecords {
  private readonly map = new IntervalMap<Mapping>();

  get size(): number {
    return this.map.size;
  }

  overlap(range: AddressRange): Mapping | undefined {
    return this.map.firstOverlap(range)?.value;
  }

  *overlapping(range: AddressRange): Generator<Mapping> {
    for (const { value } of this.map.overlapping(range)) yield value;
  }

  at(address: bigint): Mapping | undefined {
    return this.map.at(address)?.value;
  }

  *entries(): Generator<Mapping> {
    for (const { value } of this.map.entries()) yield value;
  }

  insert(mapping: Mapping): void {
    this.map.insert(mapping.range, mapping);
  }

  remove(mapping: Mapping): void {
    this.map.remove(mapping.iova);
  }
}

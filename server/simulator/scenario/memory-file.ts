/** Files whose memory can be pinned: memfd_create (IFD-19). */
import { physical } from '../memory/address.js';
import type { MemoryFile } from '../uapi/iommufd/index.js';
import type { MemoryPiece } from '../uapi/process.js';

export class MemoryFileInRam implements MemoryFile {
  readonly kind = 'other';

  /** @param size bytes; `contents` may reach further, to the end of the last page */
  constructor(
    private readonly length: bigint,
    private readonly contents: readonly MemoryPiece[],
  ) {}

  /** Whole pages: a file of a part of a page has that page. */
  get size(): bigint {
    return (this.length + 4095n) & ~4095n;
  }

  *pieces(from: bigint, size: bigint): Iterable<MemoryPiece> {
    let at = 0n;
    const end = from + size;
    for (const piece of this.contents) {
      const first = from > at ? from : at;
      const last = end < at + piece.size ? end : at + piece.size;
      if (first < last) yield { physical: physical(piece.physical + (first - at)), size: last - first };
      at += piece.size;
    }
  }

  release(): void {
    // Mappings of it keep the memory.
  }
}

/** Buffers that drivers export: memory of a device, which its exporter may take back (IFD-19). */
import { Refusal } from '../../errno.js';
import { physical, type PhysicalAddress } from '../../memory/address.js';
import type { MemoryPiece, OpenFile } from '../process.js';
import type { PageSource } from './pages.js';

export class DmaBuffer implements OpenFile {
  readonly kind = 'other';
  revoked = false;

  /** @param size bytes, whole pages; contiguous from `start` */
  constructor(
    readonly size: bigint,
    private readonly start: PhysicalAddress,
  ) {}

  release(): void {
    // Mappings of it keep the memory.
  }

  pieces(from: bigint, size: bigint): readonly MemoryPiece[] {
    return this.revoked ? [] : [{ physical: physical(this.start + from), size }];
  }
}

/** A part of a buffer, as pages of an IOAS. */
export class BufferMemory implements PageSource {
  readonly movable = false;

  /** @throws Refusal EINVAL beyond the buffer, ENODEV when it was taken back */
  constructor(
    readonly dmaBuffer: DmaBuffer,
    readonly start: bigint,
    length: bigint,
  ) {
    if (start + length > dmaBuffer.size) throw new Refusal('EINVAL', 'IFD-19', 'the range is beyond the end of the buffer');
    if (dmaBuffer.revoked) throw new Refusal('ENODEV', 'IFD-19', 'the exporter has taken the buffer back');
  }

  /** Nothing while it is taken back: the area stays and leads nowhere. */
  pieces(from: bigint, size: bigint): readonly MemoryPiece[] {
    return this.dmaBuffer.pieces(this.start - (this.start % 4096n) + from, size);
  }
}

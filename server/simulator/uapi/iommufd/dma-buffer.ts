/** Buffers that drivers export: memory of a device, which its exporter may take back (IFD-19). */
import { Refusal } from '../../errno.js';
import { physical, type PhysicalAddress } from '../../memory/address.js';
import type { MemoryPiece, OpenFile } from '../process.js';
import type { PageSource } from './pages.js';

/** Whoever shows the buffer to devices. */
export interface Importer {
  /** The exporter takes it back: no domain may show it from now on. */
  revoke(buffer: DmaBuffer): void;
}

export class DmaBuffer implements OpenFile {
  readonly kind = 'other';
  revoked = false;
  /** How often it was taken back. */
  private revocations = 0;
  private readonly importers = new Set<Importer>();

  /**
   * @param size bytes, whole pages; contiguous from `start`
   * @param ranges of which its exporter made it
   */
  constructor(
    readonly size: bigint,
    private readonly start: PhysicalAddress,
    readonly ranges = 1,
  ) {}

  release(): void {
    // Mappings of it keep the memory.
  }

  importedBy(importer: Importer): void {
    this.importers.add(importer);
  }

  /** Identity of the time until it is taken back: what was mapped before stays empty when it is given out again. */
  get term(): number {
    return this.revocations;
  }

  revoke(): void {
    if (this.revoked) return;
    this.revoked = true;
    this.revocations++;
    for (const importer of this.importers) importer.revoke(this);
  }

  pieces(from: bigint, size: bigint): readonly MemoryPiece[] {
    return [{ physical: physical(this.start + from), size }];
  }
}

/** A part of a buffer, as pages of an IOAS. */
export class BufferMemory implements PageSource {
  readonly movable = false;
  private readonly term: number;

  /** @throws Refusal EINVAL beyond the buffer, ENODEV when it was taken back, EOPNOTSUPP for one of several ranges */
  constructor(
    readonly dmaBuffer: DmaBuffer,
    readonly start: bigint,
    length: bigint,
  ) {
    if (start + length > dmaBuffer.size) throw new Refusal('EINVAL', 'IFD-19', 'the range is beyond the end of the buffer');
    if (dmaBuffer.revoked) throw new Refusal('ENODEV', 'IFD-19', 'the exporter has taken the buffer back');
    if (dmaBuffer.ranges > 1) throw new Refusal('EOPNOTSUPP', 'IFD-19', 'the buffer consists of several ranges, and iommufd takes one');
    this.term = dmaBuffer.term;
  }

  /** Nothing once it was taken back: the area stays and leads nowhere. */
  pieces(from: bigint, size: bigint): readonly MemoryPiece[] {
    return this.term === this.dmaBuffer.term ? this.dmaBuffer.pieces(this.start - (this.start % 4096n) + from, size) : [];
  }
}

/** What Linux's driver writes into the device directory (RVI 5): contexts with a first stage, tables below the root when first needed. */
import { frameOf } from '../../memory/frame.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { DeviceEntry } from '../architecture.js';
import { DIRECTORY, type RiscvCapabilities } from './capabilities.js';
import { BASE_INDEX_BITS, CONTROL, EXTENDED_INDEX_BITS } from './device-directory.js';
import { widestFirstStage } from './modes.js';
import { frameOfPpn } from './page-entry.js';

const VALID = 1;
const PPN_IN_LOW = 2 ** 22;

export class DirectoryWriter {
  /** Frame of the root. */
  readonly root: number;
  /** Value for ddtp: the most levels that there are. */
  readonly register: bigint;
  private readonly indexBits: readonly number[];
  /** Halves of a context. */
  private readonly contextHalves: number;
  private readonly control: number;
  /** iosatp.MODE of the domains' tables. */
  private readonly mode: number;

  constructor(private readonly memory: PhysicalMemory, capabilities: RiscvCapabilities) {
    this.root = memory.allocate();
    memory.pageForWriting(this.root);
    this.register = (BigInt(this.root) << 10n) | BigInt(DIRECTORY.threeLevels);
    this.indexBits = capabilities.msiFlat ? EXTENDED_INDEX_BITS : BASE_INDEX_BITS;
    this.contextHalves = capabilities.msiFlat ? 16 : 8;
    this.control = capabilities.setsAccessedDirty ? CONTROL.sade : 0;
    this.mode = widestFirstStage(capabilities)?.code ?? 0;
  }

  /** fsc and ta before tc, as hardware may look at any time. A device whose ID is beyond all levels has no context. */
  write(deviceId: number, entry: DeviceEntry): void {
    const page = this.contextTable(deviceId);
    if (page === null) return;
    const at = (deviceId % 2 ** this.indexBits[0]!) * this.contextHalves;
    page.fill(0, at, at + this.contextHalves);
    if (entry.kind === 'paging') {
      const root = frameOf(entry.table.root);
      page[at + 6] = root % 2 ** 32;
      page[at + 7] = Math.floor(root / 2 ** 32) | (this.mode << 28);
      page[at + 4] = entry.domainId << 12;
    }
    page[at] = this.control | (entry.kind === 'blocked' ? 0 : CONTROL.valid);
  }

  private contextTable(deviceId: number): Uint32Array | null {
    const [low, middle, high] = this.indexBits as readonly [number, number, number];
    const top = Math.floor(deviceId / 2 ** (low + middle));
    if (top >= 2 ** high) return null;
    return this.below(this.below(this.memory.pageForWriting(this.root), top), Math.floor(deviceId / 2 ** low) % 2 ** middle);
  }

  private below(page: Uint32Array, index: number): Uint32Array {
    if ((page[2 * index]! & VALID) === 0) {
      const fresh = this.memory.allocate();
      page[2 * index] = ((fresh % PPN_IN_LOW) << 10) | VALID;
      page[2 * index + 1] = Math.floor(fresh / PPN_IN_LOW);
    }
    return this.memory.pageForWriting(frameOfPpn(page[2 * index]!, page[2 * index + 1]!));
  }
}

/** The numbers themselves: the default allocator and the custom ones that may take its place (IOA-05, IOA-06). */
import { Refusal } from '../../errno.js';
import { INVALID_IOASID, type AllocatorOps, type IdRange, type IoasidSurroundings } from './calls.js';
import { IdSpace } from './id-space.js';

/** `IOASID_ALLOCATOR_CUSTOM`. */
const CUSTOM = 1;

interface Allocator {
  readonly flags: number;
  readonly functions: string;
  readonly space: IdSpace;
  /** Everybody who registered with these functions, in order; the default allocator has nobody. */
  readonly sharers: AllocatorOps[];
}

export class AllocatorBank {
  /** In the order of registration; the first one is active when there is one. */
  private readonly custom: Allocator[] = [];
  private readonly standard: Allocator;
  private active: Allocator;

  /** @param space of the default allocator: also drivers that bind address spaces take of it (IOA-08) */
  constructor(
    private readonly surroundings: IoasidSurroundings,
    space: IdSpace,
  ) {
    this.standard = { flags: 0, functions: 'default', space, sharers: [] };
    this.active = this.standard;
  }

  /** IOA-02: the lowest free number of the range, or INVALID_IOASID. */
  take({ min, max }: IdRange): number {
    const id = this.active.space.take(min, max);
    if (id !== null) return id;
    if (this.active.flags !== CUSTOM) this.surroundings.log.push(`Failed to alloc ioasid from ${min | 0} to ${max | 0}`);
    this.surroundings.log.push(`Failed ASID allocation ${this.active.flags}`);
    return INVALID_IOASID;
  }

  giveBack(id: number): void {
    this.active.space.giveBack(id);
  }

  /** @throws Refusal EAGAIN, EEXIST (IOA-05) */
  register(ops: AllocatorOps): void {
    if (this.custom.length === 0) return this.registerFirst(ops);
    const sharing = this.custom.find((allocator) => allocator.functions === ops.functions);
    if (this.custom.some((allocator) => allocator.sharers[0]?.name === ops.name)) {
      this.surroundings.log.push('IOASID allocator already registered');
      throw new Refusal('EEXIST', 'IOA-05', `${ops.name} is registered already`);
    }
    if (sharing === undefined) {
      this.custom.push(allocatorOf(ops));
      this.tell(`${ops.name} waits until the allocators before it are gone`);
    } else {
      sharing.sharers.push(ops);
      this.tell(`${ops.name} shares the numbers of ${sharing.sharers[0]!.name}: both have the same functions`);
    }
  }

  /** The numbers of the default allocator would be lost to their owners, so the first custom one must come before any is given out. */
  private registerFirst(ops: AllocatorOps): void {
    if (!this.standard.space.empty) {
      this.surroundings.log.push('Default allocator active with outstanding IOASID');
      throw new Refusal('EAGAIN', 'IOA-05', 'the default allocator has given out numbers that are still in use');
    }
    this.active = allocatorOf(ops);
    this.custom.push(this.active);
    this.tell(`${ops.name} gives out the numbers from now on`);
  }

  unregister(ops: AllocatorOps): void {
    const { log } = this.surroundings;
    if (this.custom.length === 0) return void log.push('No custom IOASID allocators active!');
    const at = this.custom.findIndex((allocator) => allocator.functions === ops.functions);
    const allocator = this.custom[at];
    if (allocator === undefined) return;
    if (allocator.sharers.length > 1) {
      const sharer = allocator.sharers.findIndex(({ name }) => name === ops.name);
      if (sharer >= 0) allocator.sharers.splice(sharer, 1);
      return;
    }
    this.custom.splice(at, 1);
    if (!allocator.space.empty) this.tell('WARNING: numbers of it are still in use, and are lost now');
    if (this.custom.length === 0) log.push('No custom IOASID allocators, switch to default.');
    else if (allocator === this.active) log.push('IOASID allocator changed');
    this.active = this.custom[0] ?? this.standard;
  }

  private tell(text: string): void {
    this.surroundings.changed({ text, rule: 'IOA-05' });
  }
}

const allocatorOf = (ops: AllocatorOps): Allocator => ({ flags: CUSTOM, functions: ops.functions, space: new IdSpace(), sharers: [ops] });

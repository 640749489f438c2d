/**
 * The allocator as it was merged (v5.5 to v6.3): one space of numbers for the machine, and sets that are no more than a
 * token to compare with (IOA-01).
 */
import { Refusal } from '../../errno.js';
import { AllocatorBank } from './allocator-bank.js';
import { INVALID_IOASID, type Allocation, type AllocatorOps, type IoasidCalls, type IoasidState, type IoasidSurroundings, type SetNumber, type SetType, type Token } from './calls.js';
import type { IdSpace } from './id-space.js';
import { rangeFor } from './ranges.js';

interface Entry {
  readonly set: SetNumber | null;
  references: number;
  data: bigint;
}

class MergedAllocator implements IoasidCalls {
  protected readonly entries = new Map<number, Entry>();
  private readonly bank: AllocatorBank;
  private sets = 0;

  constructor(
    protected readonly surroundings: IoasidSurroundings,
    space: IdSpace,
  ) {
    this.bank = new AllocatorBank(surroundings, space);
  }

  /** IOA-01: no call at all, a variable of the driver. Type, token and quota mean nothing. */
  allocateSet(type: SetType, _token: Token | null, quota: number): SetNumber {
    const ignored = [...(type === 'NULL' ? [] : ['an owner']), ...(quota === 0 ? [] : ['a quota'])].join(' and ');
    const remark = ignored === '' ? '' : `; ${ignored} means nothing here`;
    this.tell('IOA-01', `A set is the address of a variable in the driver (DECLARE_IOASID_SET): a token of ownership without a table${remark}`);
    return ++this.sets;
  }

  /** IOA-02, IOA-08. */
  allocate({ set, range, device, data }: Allocation): number {
    const id = this.bank.take(rangeFor(range, device));
    if (id !== INVALID_IOASID) this.entries.set(id, { set, references: 1, data });
    return id;
  }

  /** IOA-04. @throws Refusal ENOENT, EACCES */
  find(set: SetNumber | null, id: number, getterAccepts: boolean): bigint | null {
    const entry = this.known(id);
    if (set !== null && entry.set !== set) throw new Refusal('EACCES', 'IOA-04', `IOASID ${id} was allocated with the token of another set`);
    return getterAccepts ? entry.data : null;
  }

  /** IOA-04. @throws Refusal ENOENT */
  setData(id: number, data: bigint): void {
    this.known(id).data = data;
  }

  state(id: number): IoasidState {
    const references = this.entries.get(id)?.references ?? 0;
    return { state: references === 0 ? 'FREE' : references === 1 ? 'IDLE' : 'ACTIVE', references, spid: null };
  }

  registerAllocator(ops: AllocatorOps): void {
    this.bank.register(ops);
  }

  unregisterAllocator(ops: AllocatorOps): void {
    this.bank.unregister(ops);
  }

  protected remove(id: number): void {
    this.entries.delete(id);
    this.bank.giveBack(id);
  }

  protected unknown(id: number): void {
    this.surroundings.log.push(`Trying to free unknown IOASID ${id}`);
  }

  protected tell(rule: string, text: string): void {
    this.surroundings.changed({ text, rule });
  }

  private known(id: number): Entry {
    const entry = this.entries.get(id);
    if (entry === undefined) throw new Refusal('ENOENT', 'IOA-04', `no IOASID ${id} is allocated`);
    return entry;
  }
}

/** v5.12 to v5.17: numbers are counted, and end with their last reference (IOA-03). */
export class CountedAllocator extends MergedAllocator {
  /** The set is not looked at: whose number it is plays no part. */
  get(_set: SetNumber | null, id: number): void {
    const entry = this.entries.get(id);
    if (entry === undefined) return this.tell('IOA-03', `WARNING: IOASID ${id} is unknown, and nothing is counted`);
    entry.references++;
  }

  put(_set: SetNumber | null, id: number): boolean {
    const entry = this.entries.get(id);
    if (entry === undefined) {
      this.unknown(id);
      return false;
    }
    if (--entry.references > 0) return false;
    this.remove(id);
    return true;
  }
}

/** Up to 5.10, and 5.19 to 6.3: nobody counts; the PASID of a process lives as long as its address space (IOA-03, SVA-05). */
export class UncountedAllocator extends MergedAllocator {
  free(_set: SetNumber | null, id: number): void {
    if (this.entries.has(id)) this.remove(id);
    else this.unknown(id);
  }
}

/** Without CONFIG_IOASID the functions are there and do nothing (IOA-07). */
export class NoAllocator implements IoasidCalls {
  allocateSet(): SetNumber {
    return 1;
  }

  allocate(): number {
    return INVALID_IOASID;
  }

  find(): null {
    return null;
  }

  setData(): never {
    throw new Refusal('ENOTSUPP', 'IOA-07', 'the kernel was built without CONFIG_IOASID');
  }

  registerAllocator(): never {
    throw new Refusal('ENOTSUPP', 'IOA-07', 'the kernel was built without CONFIG_IOASID');
  }
}

/**
 * Sets as the fourth version of "IOASID extensions for guest SVA" defined them (27 February 2021, never merged): a list of PASIDs with an owner and a
 * quota. One per virtual machine keeps machines from using each other's numbers (THR-02).
 */
import { Refusal } from '../../errno.js';
import type { Capacity } from './capacity.js';
import { INVALID_IOASID, type IoasidSurroundings, type SetNumber, type SetType, type Token } from './calls.js';
import { NotifierChain } from './notifications.js';

export interface Ioasid {
  readonly id: number;
  readonly set: IoasidSet;
  references: number;
  freePending: boolean;
  /** The number that its set's owner knows it by: a guest's PASID (IOX-08). */
  spid: number | null;
  data: bigint;
}

export interface IoasidSet {
  readonly number: SetNumber;
  readonly type: 'NULL' | 'MM';
  readonly token: Token | null;
  readonly quota: number;
  readonly members: Map<number, Ioasid>;
  /** By SPID. */
  readonly spids: Map<number, Ioasid>;
  readonly chain: NotifierChain;
}

/**
 * What happens to the quota of a set that ends: as posted it is lost until the next boot (IOX-03). The other reading, that a later patch hands it
 * back, would be `true`.
 */
const QUOTA_IS_HANDED_BACK = false;

export class IoasidSets {
  private readonly sets = new Map<SetNumber, IoasidSet>();
  private readonly byToken = new Map<Token, IoasidSet>();
  private made = 0;

  constructor(
    private readonly capacity: Capacity,
    private readonly surroundings: IoasidSurroundings,
  ) {}

  /** `ioasid_set_alloc` (IOX-02). @param quota 0 takes all that is left. @throws Refusal EINVAL, ENOSPC, EEXIST */
  allocate(type: SetType, token: Token | null, quota: number): IoasidSet {
    if (type === 'unknown') throw new Refusal('EINVAL', 'IOX-02', 'sets are of type NULL (1) or MM (2)');
    this.demandCapacity(quota);
    if (type === 'MM') this.demandNewOwner(token);
    else if (token !== null) {
      this.surroundings.log.push('Invalid token and IOASID type');
      throw new Refusal('EINVAL', 'IOX-02', 'a set of type NULL has no token');
    }
    const size = quota === 0 ? this.capacity.available : quota;
    if (size > 0) this.capacity.reserve(size);
    const set: IoasidSet = { number: ++this.made, type, token, quota: size, members: new Map(), spids: new Map(), chain: new NotifierChain() };
    this.sets.set(set.number, set);
    if (token !== null) this.byToken.set(token, set);
    this.tell('IOX-02', `The set may hold ${size} PASIDs; ${this.capacity.available} are left for other sets`);
    return set;
  }

  private demandCapacity(quota: number): void {
    const { available } = this.capacity;
    if (quota <= available) return;
    this.surroundings.log.push(`Out of IOASID capacity! ask ${quota}, avail ${available}`);
    throw new Refusal('ENOSPC', 'IOX-02', `a quota of ${quota} is more than the ${available} PASIDs that are promised to nobody`);
  }

  private demandNewOwner(token: Token | null): void {
    if (token === null) throw new Refusal('EINVAL', 'IOX-02', 'a set of type MM needs the address space that owns it');
    if (this.byToken.has(token)) throw new Refusal('EEXIST', 'IOX-02', 'this address space owns a set already');
  }

  /** `ioasid_set_free` (IOX-03). @throws Refusal EINVAL, EBUSY */
  free(number: SetNumber): void {
    const set = this.sets.get(number);
    if (set === undefined) throw new Refusal('EINVAL', 'IOX-03', 'the set is gone: it ended with its last PASID');
    if (set.members.size > 0) throw new Refusal('EBUSY', 'IOX-03', `${set.members.size} of its PASIDs are allocated`);
    this.dissolve(set);
  }

  find(number: SetNumber): IoasidSet | undefined {
    return this.sets.get(number);
  }

  /** `ioasid_find_mm_set`. */
  ofOwner(token: Token): IoasidSet | undefined {
    return this.byToken.get(token);
  }

  add(ioasid: Ioasid): void {
    ioasid.set.members.set(ioasid.id, ioasid);
  }

  /** A set vanishes with its last PASID (IOX-03). */
  remove(ioasid: Ioasid): void {
    const { set } = ioasid;
    set.members.delete(ioasid.id);
    if (ioasid.spid !== null) set.spids.delete(ioasid.spid);
    if (set.members.size === 0) this.dissolve(set);
  }

  private dissolve(set: IoasidSet): void {
    this.sets.delete(set.number);
    if (set.token !== null) this.byToken.delete(set.token);
    if (QUOTA_IS_HANDED_BACK) this.capacity.cancel(set.quota);
    this.tell('IOX-03', `The set ends; its quota of ${set.quota} ${QUOTA_IS_HANDED_BACK ? 'is available again' : 'is lost: the series as posted does not hand it back'}`);
  }

  private tell(rule: string, text: string): void {
    this.surroundings.changed({ text, rule });
  }
}

/** IOX-08. `spid` is the owner's number. @throws Refusal EINVAL */
export function nameInSet(ioasid: Ioasid, spid: number): void {
  if (spid === INVALID_IOASID) throw new Refusal('EINVAL', 'IOX-08', 'this number stands for no PASID');
  const taken = ioasid.set.spids.get(spid);
  if (taken !== undefined) throw new Refusal('EINVAL', 'IOX-08', `${spid} stands for IOASID ${taken.id} in this set already`);
  if (ioasid.spid !== null) ioasid.set.spids.delete(ioasid.spid);
  ioasid.spid = spid;
  ioasid.set.spids.set(spid, ioasid);
}

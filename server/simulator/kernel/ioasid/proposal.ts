/**
 * IOASIDs as the series of February 2021 wanted them (section 8.2): sets with owner and quota, states, references that only the owner's set may
 * take, notifications, set-private numbers, a cgroup and a device file.
 */
import { Refusal } from '../../errno.js';
import { AllocatorBank } from './allocator-bank.js';
import { Capacity } from './capacity.js';
import {
  INVALID_IOASID, type Allocation, type AllocatorOps, type CgroupCounters, type IdRange, type IoasidCalls, type IoasidState, type IoasidSurroundings, type Notifier,
  type NotifierScope, type SetNumber, type SetType, type Token,
} from './calls.js';
import { IoasidCgroups } from './cgroup.js';
import { IoasidDeviceFile } from './device-file.js';
import { duplicate, Notifications, PendingNotifiers, type NotifierEvent } from './notifications.js';
import type { IdSpace } from './id-space.js';
import { rangeFor } from './ranges.js';
import { IoasidSets, nameInSet, type Ioasid, type IoasidSet } from './sets.js';

/** PID_MAX_DEFAULT: as many processes as there are by default, so as many address spaces that the host binds (IOX-11). */
const HOST_QUOTA = 0x8000;

export class ProposedIoasids implements IoasidCalls {
  private readonly ids = new Map<number, Ioasid>();
  private readonly bank: AllocatorBank;
  private readonly capacity: Capacity;
  private readonly sets: IoasidSets;
  private readonly cgroups: IoasidCgroups;
  private readonly notifications: Notifications;
  private readonly pending = new PendingNotifiers();
  private readonly file: IoasidDeviceFile;
  /** Of the host's own address spaces; null without a VT-d unit in scalable mode (IOX-11). */
  private readonly hostSet: IoasidSet | null;

  constructor(
    private readonly surroundings: IoasidSurroundings,
    space: IdSpace,
    hostHasSet: boolean,
  ) {
    this.bank = new AllocatorBank(surroundings, space);
    this.capacity = new Capacity(surroundings);
    this.sets = new IoasidSets(this.capacity, surroundings);
    this.cgroups = new IoasidCgroups(this.capacity, surroundings);
    this.notifications = new Notifications(surroundings);
    this.file = new IoasidDeviceFile(this, surroundings);
    this.hostSet = hostHasSet ? this.sets.allocate('NULL', null, HOST_QUOTA) : null;
  }

  // ---------------------------------------------------------------------------------------------- sets

  allocateSet(type: SetType, token: Token | null, quota: number): SetNumber {
    const set = this.sets.allocate(type, token, quota);
    if (token !== null) for (const notifier of this.pending.take(token)) set.chain.add(notifier);
    return set.number;
  }

  freeSet(set: SetNumber): void {
    this.sets.free(set);
  }

  installCapacity(count: number): void {
    this.capacity.install(count);
  }

  reserveCapacity(count: number): number {
    return this.capacity.reserve(count);
  }

  cancelCapacity(count: number): number {
    return this.capacity.cancel(count);
  }

  // ---------------------------------------------------------------------------------------------- numbers

  /** IOX-04: every failure looks alike to the caller. */
  allocate({ set: number, range, device, data, caller }: Allocation): number {
    const set = number === null ? this.hostSet : this.sets.find(number);
    if (set === undefined || set === null) return this.failed('the set does not exist');
    if (set.members.size >= set.quota) {
      this.surroundings.log.push(`IOASID set out of quota ${set.quota}`);
      return this.failed(`the set holds ${set.members.size} of at most ${set.quota}`);
    }
    if (!this.charged(set, caller)) return INVALID_IOASID;
    const id = this.bank.take(rangeFor(range, device));
    if (id === INVALID_IOASID) {
      this.uncharge(set);
      return this.failed('no number of the range is free');
    }
    const ioasid: Ioasid = { id, set, references: 1, freePending: false, spid: null, data };
    this.ids.set(id, ioasid);
    this.sets.add(ioasid);
    this.notify('ALLOC', ioasid);
    return id;
  }

  /** IOX-09: only a process that owns the set is charged, and only it may allocate: nobody on behalf of another (THR-01). */
  private charged(set: IoasidSet, caller: Token): boolean {
    if (set.token === null) return true;
    try {
      if (set.token !== caller) {
        this.surroundings.log.push('ioasids_cg: No permisson to allocate IOASID');
        throw new Refusal('EPERM', 'IOX-09', 'the caller is not the owner of the set');
      }
      this.cgroups.charge(caller);
      return true;
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.failed(`the cgroup answers ${refusal.errno}: ${refusal.reason}`, refusal.rule);
      return false;
    }
  }

  private uncharge({ token }: IoasidSet): void {
    if (token !== null) this.cgroups.uncharge(token);
  }

  /** IOX-05: who waits for the end of a number gets no new references of it. @throws Refusal EINVAL, EBUSY, EACCES */
  get(set: SetNumber | null, id: number): void {
    const ioasid = this.ids.get(id);
    if (ioasid === undefined) this.refuse('EINVAL', `Trying to get unknown IOASID ${id}`, `no IOASID ${id} is allocated`);
    if (ioasid.freePending) this.refuse('EBUSY', `Trying to get IOASID being freed${id}`, `IOASID ${id} waits for its last reference to go (FREE_PENDING)`);
    if (isOutside(ioasid, set)) this.refuse('EACCES', `Trying to get IOASID ${id} outside the set`, `IOASID ${id} belongs to another set`);
    ioasid.references++;
  }

  /** IOX-05: for system calls, whose caller must be the owner. @throws Refusal ENOENT, EINVAL, EPERM, EBUSY */
  getIfOwned(caller: Token, id: number): void {
    const ioasid = this.ids.get(id);
    if (ioasid === undefined) throw new Refusal('ENOENT', 'IOX-05', `IOASID ${id} is in no set`);
    if (ioasid.set.type !== 'MM') throw new Refusal('EINVAL', 'IOX-05', `the set of IOASID ${id} belongs to no process`);
    if (ioasid.set.token !== caller) throw new Refusal('EPERM', 'IOX-05', `IOASID ${id} belongs to another process`);
    this.get(null, id);
  }

  put(set: SetNumber | null, id: number): boolean {
    const ioasid = this.ids.get(id);
    if (ioasid === undefined || isOutside(ioasid, set)) {
      this.surroundings.log.push(ioasid === undefined ? `Trying to put unknown IOASID ${id}` : `Trying to drop IOASID ${id} outside the set`);
      return false;
    }
    return this.drop(ioasid);
  }

  /** IOX-06: what is still in use waits; subscribers are told to let go. */
  free(set: SetNumber | null, id: number): void {
    const ioasid = this.ids.get(id);
    if (ioasid === undefined) return void this.surroundings.log.push(`Trying to free unknown IOASID ${id}`);
    if (ioasid.set.number !== set) return void this.surroundings.log.push(`Cannot free IOASID ${id} due to set ownership`);
    if (ioasid.freePending) return;
    ioasid.freePending = true;
    if (!this.drop(ioasid)) this.notify('FREE', ioasid);
  }

  private drop(ioasid: Ioasid): boolean {
    if (--ioasid.references > 0) return false;
    this.reclaim(ioasid);
    return true;
  }

  private reclaim(ioasid: Ioasid): void {
    this.ids.delete(ioasid.id);
    this.bank.giveBack(ioasid.id);
    this.uncharge(ioasid.set);
    this.sets.remove(ioasid);
  }

  /** @throws Refusal ENOENT, EACCES (IOA-04) */
  find(set: SetNumber | null, id: number, getterAccepts: boolean): bigint | null {
    const ioasid = this.known(id);
    if (isOutside(ioasid, set)) throw new Refusal('EACCES', 'IOA-04', `IOASID ${id} belongs to another set`);
    return getterAccepts ? ioasid.data : null;
  }

  setData(id: number, data: bigint): void {
    this.known(id).data = data;
  }

  /** IOX-06. In use: somebody but the allocation itself counts it, or it is bound. */
  state(id: number): IoasidState {
    const ioasid = this.ids.get(id);
    if (ioasid === undefined) return { state: 'FREE', references: 0, spid: null };
    const { references, spid, freePending } = ioasid;
    return { state: freePending ? 'FREE_PENDING' : references > 1 || spid !== null ? 'ACTIVE' : 'IDLE', references, spid };
  }

  // ---------------------------------------------------------------------------------------------- numbers of the owner

  /** @throws Refusal EINVAL, ENOENT (IOX-08) */
  attachSpid(id: number, spid: number): void {
    const ioasid = this.ids.get(id);
    if (spid === INVALID_IOASID) throw new Refusal('EINVAL', 'IOX-08', 'this number stands for no PASID');
    if (ioasid === undefined) {
      this.surroundings.log.push(`No IOASID entry ${id} to attach SPID ${spid}`);
      throw new Refusal('ENOENT', 'IOX-08', `no IOASID ${id} is allocated`);
    }
    nameInSet(ioasid, spid);
    this.notify('BIND', ioasid);
  }

  detachSpid(id: number): void {
    const ioasid = this.ids.get(id);
    if (ioasid === undefined || ioasid.spid === null) return void this.surroundings.log.push(`Invalid IOASID entry ${id} to detach`);
    this.notify('UNBIND', ioasid);
    ioasid.set.spids.delete(ioasid.spid);
    ioasid.spid = null;
  }

  findBySpid(set: SetNumber, spid: number): number {
    return this.sets.find(set)?.spids.get(spid)?.id ?? INVALID_IOASID;
  }

  // ---------------------------------------------------------------------------------------------- who is told

  /** @throws Refusal EBUSY (IOX-07) */
  registerNotifier(scope: NotifierScope, notifier: Notifier): void {
    if (scope === 'all') return this.notifications.all.add(notifier);
    if ('mm' in scope) return this.registerForOwner(scope.mm, notifier);
    this.sets.find(scope.set)?.chain.add(notifier);
  }

  /** `ioasid_register_notifier_mm`: KVM knows its address space before that has a set. */
  private registerForOwner(token: Token, notifier: Notifier): void {
    const set = this.sets.ofOwner(token);
    if (set === undefined) return this.pending.add(token, notifier);
    if (set.chain.has(notifier.name)) throw duplicate(notifier);
    if (set.members.size > 0) throw new Refusal('EBUSY', 'IOX-07', 'the set of this address space has PASIDs already, whose events were missed');
    set.chain.add(notifier);
  }

  /** IOX-07: everybody hears of the end of a number, the rest stays within its set. */
  private notify(event: NotifierEvent, { id, set }: Ioasid): void {
    this.notifications.send(event, id, event === 'FREE' ? [this.notifications.all, set.chain] : [set.chain]);
  }

  registerAllocator(ops: AllocatorOps): void {
    this.bank.register(ops);
  }

  unregisterAllocator(ops: AllocatorOps): void {
    this.bank.unregister(ops);
  }

  // ---------------------------------------------------------------------------------------------- cgroup

  createCgroup(name: string, parent: string | null): void {
    this.cgroups.create(name, parent);
  }

  moveToCgroup(token: Token, name: string): void {
    this.cgroups.move(token, name, this.sets.ofOwner(token)?.members.size ?? 0);
  }

  writeCgroupMax(name: string, text: string): void {
    this.cgroups.writeMax(name, text);
  }

  readCgroup(name: string): CgroupCounters {
    return this.cgroups.read(name);
  }

  // ---------------------------------------------------------------------------------------------- /dev/ioasid

  openDevice(opener: Token): void {
    this.file.open(opener);
  }

  closeDevice(opener: Token): void {
    this.file.close(opener);
  }

  requestFromDevice(opener: Token, range: IdRange): number {
    return this.file.request(opener, range);
  }

  releaseToDevice(opener: Token, id: number): void {
    this.file.release(opener, id);
  }

  askDevice(command: string): number {
    return this.file.ask(command);
  }

  /** Of a set, in the order of allocation; null when it is gone. */
  membersOf(set: SetNumber): number[] | null {
    const found = this.sets.find(set);
    return found === undefined ? null : [...found.members.keys()];
  }

  // ---------------------------------------------------------------------------------------------- small things

  private known(id: number): Ioasid {
    const ioasid = this.ids.get(id);
    if (ioasid === undefined) throw new Refusal('ENOENT', 'IOA-04', `no IOASID ${id} is allocated`);
    return ioasid;
  }

  private refuse(errno: 'EINVAL' | 'EBUSY' | 'EACCES', line: string, reason: string): never {
    this.surroundings.log.push(line);
    throw new Refusal(errno, 'IOX-05', reason);
  }

  private failed(why: string, rule = 'IOX-04'): number {
    this.surroundings.changed({ text: `The allocation fails: ${why}`, rule });
    return INVALID_IOASID;
  }
}

const isOutside = (ioasid: Ioasid, set: SetNumber | null): boolean => set !== null && ioasid.set.number !== set;


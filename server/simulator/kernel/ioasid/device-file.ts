/** `/dev/ioasid` as it was posted (misc device, minor 129): a process asks for PASIDs itself (IOX-10). What an interface for good has to be was argued in THR-03. */
import { Refusal } from '../../errno.js';
import { INVALID_IOASID, type Allocation, type IdRange, type IoasidSurroundings, type SetNumber, type SetType, type Token } from './calls.js';

/** What GET_INFO says: numbers below 2^31, so that an ioctl can return them. */
const IOASID_BITS = 31;
/** What GET_API_VERSION says. */
const API_VERSION = 0;

/** The part of the proposal that the file stands on. */
export interface SetFunctions {
  allocateSet(type: SetType, token: Token | null, quota: number): SetNumber;
  freeSet(set: SetNumber): void;
  allocate(request: Allocation): number;
  free(set: SetNumber | null, id: number): void;
  /** Of a set, in the order of allocation; null when it is gone. */
  membersOf(set: SetNumber): readonly number[] | null;
}

export class IoasidDeviceFile {
  private readonly openedBy = new Map<Token, SetNumber>();

  constructor(
    private readonly ioasids: SetFunctions,
    private readonly surroundings: IoasidSurroundings,
  ) {}

  /** One file per address space, and with it one set, which takes all that is left. @throws Refusal EBUSY, EEXIST */
  open(token: Token): void {
    if (this.openedBy.has(token)) throw new Refusal('EBUSY', 'IOX-10', 'this process has /dev/ioasid open already');
    this.openedBy.set(token, this.ioasids.allocateSet('MM', token, 0));
  }

  /** All numbers are freed; those that somebody still counts end later, and the set with the last of them. */
  close(token: Token): void {
    const set = this.openedBy.get(token);
    if (set === undefined) return;
    this.openedBy.delete(token);
    for (const id of this.ioasids.membersOf(set) ?? []) this.ioasids.free(set, id);
    if (this.ioasids.membersOf(set)?.length === 0) this.ioasids.freeSet(set);
  }

  /** IOASID_REQUEST_ALLOC. @throws Refusal EINVAL */
  request(opener: Token, range: IdRange): number {
    const { min, max } = range;
    if (min > max) throw new Refusal('EINVAL', 'IOX-10', 'the range ends before it begins');
    if (Math.max(min, max) >= 2 ** IOASID_BITS) throw new Refusal('EINVAL', 'IOX-10', `numbers have at most ${IOASID_BITS} bits here`);
    const id = this.ioasids.allocate({ set: this.setOf(opener), range, data: 0n, caller: opener });
    if (id === INVALID_IOASID) throw new Refusal('EINVAL', 'IOX-10', 'no PASID could be allocated, for whatever reason');
    return id;
  }

  /** IOASID_REQUEST_FREE: 0 whatever became of it. @throws Refusal EINVAL */
  release(opener: Token, id: number): void {
    if (id >= 2 ** IOASID_BITS) throw new Refusal('EINVAL', 'IOX-10', 'the number is negative as the ioctl reads it');
    this.ioasids.free(this.setOf(opener), id);
  }

  /** @throws Refusal EINVAL */
  ask(command: string): number {
    if (command === 'GET_API_VERSION') return API_VERSION;
    if (command === 'GET_INFO') return IOASID_BITS;
    this.surroundings.log.push(`Unsupported cmd ${Number(command.replaceAll('_', ''))}`);
    throw new Refusal('EINVAL', 'IOX-10', `/dev/ioasid has no command ${command}`);
  }

  private setOf(opener: Token): SetNumber {
    const set = this.openedBy.get(opener);
    if (set === undefined) throw new Refusal('EBADF', 'IOX-10', '/dev/ioasid is not open in this process');
    return set;
  }
}

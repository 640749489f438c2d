/**
 * The cgroup controller "ioasids" as it was posted (IOX-09): how many PASIDs the processes of a group may have. A new group may have none.
 * The controller `misc` was named as the better place for it (HIS-01), and the idea ended with the series.
 */
import { Refusal } from '../../errno.js';
import type { Capacity } from './capacity.js';
import type { CgroupCounters, IoasidSurroundings, Token } from './calls.js';

interface Cgroup {
  readonly name: string;
  /** null: the root is above, which has no limit and no files. */
  readonly parent: Cgroup | null;
  max: bigint;
  current: bigint;
}

/** The largest that a 64-bit signed number holds. */
const LARGEST = (1n << 63n) - 1n;
/** Refused charges are shown in `ioasids.events`, but as posted nothing ever counts them. */
const EVENTS_AS_POSTED = 0n;

export class IoasidCgroups {
  private readonly byName = new Map<string, Cgroup>();
  /** Where a process is; not listed: in the root. */
  private readonly places = new Map<Token, Cgroup>();

  constructor(
    private readonly capacity: Capacity,
    private readonly surroundings: IoasidSurroundings,
  ) {}

  /** mkdir. @throws Refusal EEXIST, ENOENT */
  create(name: string, parent: string | null): void {
    if (this.byName.has(name)) throw new Refusal('EEXIST', 'IOX-09', `there is a cgroup ${name} already`);
    this.byName.set(name, { name, parent: parent === null ? null : this.named(parent), max: 0n, current: 0n });
  }

  /** Never refused; `current` may be above `max` afterwards. @param held how many PASIDs the process has */
  move(token: Token, name: string, held: number): void {
    const to = this.named(name);
    for (const cgroup of this.path(token)) cgroup.current -= BigInt(held);
    this.places.set(token, to);
    for (const cgroup of this.path(token)) cgroup.current += BigInt(held);
    if (to.current > to.max) this.tell(`ioasids.current of ${name} is ${to.current}, above its max ${to.max}: nothing new can be allocated`);
  }

  /** A write to `ioasids.max`: growing reserves of the machine's capacity, shrinking gives back. @throws Refusal EINVAL, ERANGE, ENOSPC */
  writeMax(name: string, text: string): void {
    const cgroup = this.named(name);
    const wanted = text.trim();
    if (wanted === 'max') {
      cgroup.max = BigInt(this.capacity.reserve(0));
      return this.tell(`${name} takes all that is left: ${cgroup.max}`);
    }
    const max = parseLimit(wanted);
    if (max < 0n || max === cgroup.max) throw new Refusal('EINVAL', 'IOX-09', max < 0n ? 'the limit is negative' : `the limit is ${max} already`);
    if (max < cgroup.max) this.capacity.cancel(Number(cgroup.max - max));
    else this.capacity.reserve(Number(max - cgroup.max));
    cgroup.max = max;
  }

  read(name: string): CgroupCounters {
    const { max, current } = this.named(name);
    return { max, current, events: EVENTS_AS_POSTED };
  }

  /** One PASID for a process: it counts in every cgroup above it as well. @throws Refusal EAGAIN */
  charge(token: Token): void {
    const path = this.path(token);
    const full = path.find(({ current, max }) => current + 1n > max);
    if (full !== undefined) {
      this.surroundings.log.push('ioasids_cg: ioasid_cg_charge: Unable to charge IOASID -11');
      throw new Refusal('EAGAIN', 'IOX-09', `cgroup ${full.name} has ${full.current} PASIDs of at most ${full.max}`);
    }
    for (const cgroup of path) cgroup.current++;
  }

  uncharge(token: Token): void {
    for (const cgroup of this.path(token)) cgroup.current--;
  }

  /** The process's cgroup and all above it but the root. */
  private path(token: Token): Cgroup[] {
    const path: Cgroup[] = [];
    for (let at = this.places.get(token) ?? null; at !== null; at = at.parent) path.push(at);
    return path;
  }

  private named(name: string): Cgroup {
    const cgroup = this.byName.get(name);
    if (cgroup === undefined) throw new Refusal('ENOENT', 'IOX-09', `there is no cgroup ${name} with files of the ioasids controller${name === 'root' ? ': the root has none' : ''}`);
    return cgroup;
  }

  private tell(text: string): void {
    this.surroundings.changed({ text: `${text.charAt(0).toUpperCase()}${text.slice(1)}`, rule: 'IOX-09' });
  }
}

/** As `kstrtoll` reads. @throws Refusal EINVAL, ERANGE */
function parseLimit(text: string): bigint {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|\d+)$/.exec(text.replaceAll('_', ''));
  if (match === null) throw new Refusal('EINVAL', 'IOX-09', `"${text}" is neither a number nor "max"`);
  const value = BigInt(match[2]!) * (match[1] === '-' ? -1n : 1n);
  if (value > LARGEST || value < -LARGEST - 1n) throw new Refusal('ERANGE', 'IOX-09', `${text} does not fit 64 bits`);
  return value;
}

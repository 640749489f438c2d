/** IOX-01 to IOX-09 under random calls: quotas and capacity are never exceeded, nobody's number is another's. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Refusal } from '../../server/simulator/errno.js';
import { INVALID_IOASID } from '../../server/simulator/kernel/ioasid/index.js';
import { IdSpace } from '../../server/simulator/kernel/ioasid/id-space.js';
import { ProposedIoasids } from '../../server/simulator/kernel/ioasid/proposal.js';

const CAPACITY = 24;
const OWNERS = [{ name: 'vm1' }, { name: 'vm2' }, { name: 'vm3' }];

type Action = readonly [kind: 'set' | 'alloc' | 'get' | 'put' | 'free', owner: number, number: number];
const action: fc.Arbitrary<Action> = fc.tuple(fc.constantFrom('set', 'alloc', 'alloc', 'alloc', 'get', 'put', 'free'), fc.nat(2), fc.nat(12));

/** The call's answer, or the errno that it gave. */
function attempt<T>(call: () => T): T | string {
  try {
    return call();
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    return refusal.errno;
  }
}

describe('the proposal', () => {
  it('keeps every quota, gives no number twice, and refuses what belongs to others', () => {
    fc.assert(fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
      const ioasids = new ProposedIoasids({ log: [], changed: () => undefined }, new IdSpace(), false);
      ioasids.installCapacity(CAPACITY);
      const sets = new Map<number, { number: number; quota: number }>();
      let promised = 0;
      for (const [kind, who, number] of actions) {
        const caller = OWNERS[who]!;
        const set = sets.get(who);
        if (kind === 'set') {
          const quota = 1 + (number % 6);
          const made = attempt(() => ioasids.allocateSet('MM', caller, quota));
          const alive = set !== undefined && ioasids.membersOf(set.number) !== null;
          expect(made === 'EEXIST' || made === 'ENOSPC').toBe(quota > CAPACITY - promised || alive);
          if (typeof made === 'number') {
            promised += quota;
            sets.set(who, { number: made, quota });
          }
        } else if (set !== undefined && kind === 'alloc') {
          const before = new Set([...sets.values()].flatMap(({ number: each }) => ioasids.membersOf(each) ?? []));
          const id = ioasids.allocate({ set: set.number, range: { min: 1, max: 12 }, data: 0n, caller });
          if (id !== INVALID_IOASID) expect(before.has(id)).toBe(false);
        } else if (set !== undefined) {
          const mine = ioasids.membersOf(set.number)?.includes(number) === true;
          if (kind === 'get' && !mine) expect(['EINVAL', 'EACCES', 'EBUSY']).toContain(attempt(() => ioasids.get(set.number, number)));
          else if (kind === 'get') attempt(() => ioasids.get(set.number, number));
          else if (kind === 'put' && !mine) expect(ioasids.put(set.number, number)).toBe(false);
          else ioasids.free(set.number, number);
        }
        for (const { number: each, quota } of sets.values()) expect(ioasids.membersOf(each)?.length ?? 0).toBeLessThanOrEqual(quota);
        expect(promised).toBeLessThanOrEqual(CAPACITY);
      }
    }));
  });
});

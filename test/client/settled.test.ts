/** When the comparison is made anew while somebody types. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Settled } from '../../client/settled.js';

const QUIET = 300;
let visible: boolean;
let done: number;
let settled: Settled;

beforeEach(() => {
  vi.useFakeTimers();
  [visible, done] = [true, 0];
  settled = new Settled(QUIET, () => visible, () => done++);
});
afterEach(() => vi.useRealTimers());

const pass = (time: number): void => void vi.advanceTimersByTime(time);

describe('what follows edits', () => {
  it('is done once for a burst, when it is over', () => {
    for (let key = 0; key < 20; key++) {
      settled.changed();
      pass(QUIET - 1);
    }
    expect(done).toBe(0);
    pass(1);
    expect(done).toBe(1);
    pass(10 * QUIET);
    expect(done).toBe(1);
  });

  it('is not done while hidden; once when it comes into view, if anything has changed', () => {
    visible = false;
    for (let key = 0; key < 20; key++) settled.changed();
    pass(10 * QUIET);
    expect(done).toBe(0);
    visible = true;
    settled.lookedAt();
    settled.lookedAt();
    expect(done).toBe(1);
    pass(10 * QUIET);
    expect(done).toBe(1);
  });

  it('is not lost when it is hidden before the edits have settled', () => {
    settled.changed();
    visible = false;
    settled.lookedAt();
    pass(10 * QUIET);
    expect(done).toBe(0);
    visible = true;
    settled.lookedAt();
    expect(done).toBe(1);
  });

  it('is done at once when it is asked for, and not again for the edits before', () => {
    settled.changed();
    settled.now();
    pass(10 * QUIET);
    expect(done).toBe(1);
  });

  it('is over when it is disposed', () => {
    settled.changed();
    settled.dispose();
    pass(10 * QUIET);
    expect(done).toBe(0);
  });
});

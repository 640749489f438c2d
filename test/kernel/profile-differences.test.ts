import { expect, test } from 'vitest';
import { differencesFromNewest } from '../../server/simulator/kernel/profile-differences.js';
import { profileFor, PROFILES } from '../../server/simulator/kernel/profile.js';

test('the newest kernel differs from itself in nothing', () => {
  expect(differencesFromNewest(profileFor(''))).toEqual([]);
  expect(differencesFromNewest(profileFor('9.9'))).toEqual([]);
});

test.each(PROFILES.slice(0, -1).map((profile) => [profile.name, profile] as const))('every difference of %s is said in two different sentences', (_, profile) => {
  const differences = differencesFromNewest(profile);
  expect(differences.length).toBeGreaterThan(0);
  for (const { here, newest } of differences) {
    expect(here).toEqual(expect.any(String));
    expect(newest).toEqual(expect.any(String));
    expect(here).not.toBe(newest);
  }
});

test('what changed when DMA ownership came is among the differences of 5.13', () => {
  expect(differencesFromNewest(profileFor('5.13')).find(({ topic }) => topic === 'who may use a group')).toMatchObject({ here: expect.stringContaining('viable'), newest: expect.stringContaining('DMA owner') });
});

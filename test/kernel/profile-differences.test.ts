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

test('HIS-05, HIS-06: what took the place of auxiliary domains and of the group file', () => {
  const of = (topic: string) => differencesFromNewest(profileFor('5.13')).find((each) => each.topic === topic);
  expect(of('several domains on one device')).toMatchObject({ here: expect.stringContaining('auxiliary domains'), newest: expect.stringContaining('device and PASID') });
  expect(of('VFIO character devices')).toMatchObject({ here: expect.stringContaining('only groups'), newest: expect.stringContaining('need not know of groups') });
});

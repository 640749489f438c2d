/** What is not known is taken one way, marked, and listed with what depends on it. */
import { expect, test } from 'vitest';
import { downstreamPort, endpoint, form, host, node, ON, pci, rootPort, upstreamPort } from '../fabric/sample-host.js';

const unknown = { acs: 'unknown' as const };

test('a port of which nobody knows is taken as isolating; its group and the group below are uncertain', () => {
  const formed = form(host([rootPort('00:01.0', unknown, endpoint('01:00.0')), rootPort('00:02.0', { acs: ON }, endpoint('02:00.0'))]));
  expect(formed.text).toBe('{00:01.0} {00:02.0} {01:00.0} {02:00.0}');
  expect(formed.groups.map(({ uncertain }) => uncertain)).toEqual([true, false, true, false]);
  expect(formed.unknowns).toEqual([{ subject: '00:01.0', text: expect.stringContaining('00:01.0 (root port)') as string, affects: ['00:01.0', '01:00.0'] }]);
  expect(formed.groups[2]!.why().flatMap(({ reasons }) => reasons).map(({ text }) => text).join(' ')).toContain('taken as isolating');
});

test('functions of one device of which nobody knows are taken as not isolating', () => {
  const formed = form(host([rootPort('00:01.0', { acs: ON }, endpoint('01:00.0', unknown), endpoint('01:00.1', unknown))]));
  expect(formed.text).toBe('{00:01.0} {01:00.0 01:00.1}');
  expect(formed.groups.map(({ uncertain }) => uncertain)).toEqual([false, true]);
  expect(formed.unknowns.map(({ subject, affects }) => [subject, affects])).toEqual([['01:00.0', ['01:00.0', '01:00.1']], ['01:00.1', ['01:00.0', '01:00.1']]]);
});

test('an unknown that decides nothing is no unknown: a single function, or a port below one that does not isolate anyway', () => {
  const formed = form(host([rootPort('00:01.0', {}, upstreamPort('01:00.0', unknown, downstreamPort('02:00.0', unknown, endpoint('03:00.0', unknown)))), pci('00:05.0', unknown)]));
  expect(formed.text).toBe('{00:01.0 01:00.0 02:00.0 03:00.0} {00:05.0}');
  expect(formed.groups.some(({ uncertain }) => uncertain)).toBe(false);
  expect(formed.unknowns).toEqual([]);
});

test('an id that the kernel knows answers although nothing else is known (ACS-01)', () => {
  const formed = form(host([node('unknown', '00:1c.0', { ...unknown, classCode: 0x060400, ids: { vendor: 0x8086, device: 0x9c10 } }, endpoint('01:00.0'))]));
  expect(formed.groups.some(({ uncertain }) => uncertain)).toBe(false);
});

test('a bridge of unknown type is taken as a port', () => {
  const formed = form(host([node('unknown', '00:1c.0', { ...unknown, classCode: 0x060400 }, node('unknown', '01:00.0', unknown))]));
  expect(formed.text).toBe('{00:1c.0} {01:00.0}');
  expect(formed.groups.every(({ uncertain }) => uncertain)).toBe(true);
});

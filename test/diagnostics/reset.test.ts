/** Which devices the tables of broken resets name: as the kernel's quirks and the device list of vendor-reset have them. */
import { expect, test } from 'vitest';
import { deadAfterReset, hasBrokenFlr } from '../../server/diagnostics/reset.js';
import { forbidsBusReset } from '../../server/simulator/kernel/bus-reset-quirks.js';
import { parseFiles } from '../../language/index.js';

async function described(id: string) {
  const text = `host h {\n  kernel 6.12\n  cpu intel\n  memory 0 .. 0x9_ffff, 0x10_0000 .. 0x7fff_ffff\n  root-port rp at 00:01.0 { acs none   function f at 01:00.0 { id ${id}  class ethernet } }\n}\n`;
  const { lowered } = await parseFiles([{ uri: 'file:///reset.iommu', text }], 'file:///reset.iommu');
  return lowered.description.hosts[0]!.functions.find((fn) => fn.name === 'f')!;
}

test.each([
  ['1022:1487', true], ['1022:148c', true], ['1022:149c', true], ['1022:7901', true], ['1022:1486', false], ['8086:1502', true], ['8086:1503', true], ['14c3:0616', true], ['14c3:0608', false],
])('function level reset of %s: broken %s', async (id, broken) => expect(hasBrokenFlr(await described(id))).toBe(broken));

test.each([
  ['168c:0030', true], ['168c:003e', true], ['168c:0042', false], ['168c:0033', true], ['11c1:5901', false], ['104c:b005', true], ['177d:a100', true], ['1b21:1164', true], ['1b21:1166', false],
  ['10de:1eb8', true], ['10de:2340', true], ['10de:237f', true], ['10de:233f', false], ['10de:2380', false],
])('reset of the bus of %s: broken %s', async (id, broken) => expect(forbidsBusReset(await described(id))).toBe(broken));

test.each([
  ['1002:67df', 'Polaris'], ['1002:699f', 'Polaris'], ['1002:67fe', undefined], ['1002:687f', 'Vega 10'], ['1002:66af', 'Vega 20'], ['1002:731f', 'Navi 10'], ['1002:7340', 'Navi 14'], ['1002:7362', 'Navi 12'],
  ['1002:73bf', undefined], ['1002:73ff', undefined], ['10de:67df', undefined],
])('%s stays dead after a reset: %s', async (id, family) => expect(deadAfterReset(await described(id))).toBe(family));

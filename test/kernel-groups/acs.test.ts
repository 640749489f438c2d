/** `pci_acs_enabled` by type and by id (sections 2.2 and 2.4). */
import { describe, expect, test } from 'vitest';
import type { FunctionDescription, FunctionType } from '../../server/simulator/description.js';
import { bootAcs } from '../../server/simulator/kernel/acs-boot.js';
import { parseAcsParameters } from '../../server/simulator/kernel/acs-parameters.js';
import { AcsQuestions, acsText, type AcsVerdict } from '../../server/simulator/kernel/acs.js';
import { Topology } from '../../server/simulator/fabric/topology.js';
import { host, node, OFF, ON } from '../fabric/sample-host.js';

/** The verdict about one function on bus 01, which has a sibling when `multifunction`. */
function ask(type: FunctionType, properties: Partial<FunctionDescription>, release = 6019): AcsVerdict {
  const topology = new Topology(host([node(type, '01:00.0', properties)]));
  const boot = bootAcs(topology, { parameters: parseAcsParameters(new Map()), requested: () => true, release });
  return new AcsQuestions(topology, { boot, override: null, hasAmdIommu: false, release }).of(topology.byId('01:00.0')!);
}

const isolates = (type: FunctionType, properties: Partial<FunctionDescription> = {}, release?: number): AcsVerdict['isolates'] => ask(type, properties, release).isolates;

describe('by type', () => {
  test('conventional functions never do (ACS-02)', () => {
    for (const type of ['pci', 'pci-bridge'] as const) expect(isolates(type, { acs: ON })).toBe(false);
  });

  test('bridges between PCIe and PCI and event collectors never do (ACS-03)', () => {
    for (const type of ['pcie-to-pci-bridge', 'pci-to-pcie-bridge', 'event-collector'] as const) expect(isolates(type, { acs: ON })).toBe(false);
  });

  test('root and downstream ports by their bits alone (ACS-04, ACS-07, ACS-08)', () => {
    for (const type of ['root-port', 'downstream-port'] as const) expect([isolates(type), isolates(type, { acs: OFF }), isolates(type, { acs: ON })]).toEqual([false, false, true]);
  });

  test('others pass without siblings and need their bits with them (ACS-05, ACS-07)', () => {
    for (const type of ['endpoint', 'legacy-endpoint', 'upstream-port', 'integrated-endpoint'] as const) {
      expect([isolates(type), isolates(type, { multifunction: true }), isolates(type, { multifunction: true, acs: OFF }), isolates(type, { multifunction: true, acs: ON })]).toEqual([true, false, false, true]);
    }
  });

  test('the missing bits are named (ACS-08)', () => {
    expect(ask('root-port', { acs: { capability: 0x1f, firmwareControl: 0, control: 0x11 } }).fact).toBe('lacks ACS RR, CR (control SV, UF, as read on the host)');
    expect(acsText(0x7f)).toBe('SV, TB, RR, CR, UF, EC, DT');
  });

  test('what is not known is said', () => {
    expect(isolates('root-port', { acs: 'unknown' })).toBe('unknown');
    expect(isolates('unknown', {})).toBe('unknown');
    expect(isolates('unknown', { acs: ON })).toBe(true);
    expect(isolates('endpoint', { acs: 'unknown' })).toBe(true);
  });
});

describe('by id, without any capability', () => {
  const quirk = (type: FunctionType, vendor: number, device: number, release?: number): AcsVerdict['isolates'] => isolates(type, { ids: { vendor, device }, multifunction: true }, release);

  test.each([
    ['AQK-02', 'endpoint', 0x1924, 0x0903], ['AQK-02', 'endpoint', 0x8086, 0x10f9], ['AQK-02', 'endpoint', 0x14e4, 0x1762], ['AQK-03', 'integrated-endpoint', 0x8086, 0x0001], ['AQK-04', 'root-port', 0x17cb, 0x0401],
    ['AQK-05', 'root-port', 0x8086, 0x1d1e], ['AQK-07', 'root-port', 0x177d, 0xa4ff], ['AQK-08', 'root-port', 0x10e8, 0xe004], ['AQK-08', 'root-port', 0x1def, 0xe00c], ['AQK-09', 'root-port', 0x14e4, 0xd714],
    ['AQK-10', 'root-port', 0x1c36, 0x0031], ['AQK-11', 'downstream-port', 0x1d17, 0x0730], ['AQK-12', 'root-port', 0x1957, 0x8d9a], ['AQK-13', 'endpoint', 0x8088, 0x5140], ['AQK-14', 'root-port', 0x0014, 0x7a49],
  ] as const)('%s: a %s %x:%x isolates', (rule, type, vendor, device) => {
    expect(ask(type, { ids: { vendor, device }, multifunction: true })).toMatchObject({ isolates: true, rules: ['ACS-01', rule] });
  });

  test('only for the types that the table means (AQK-03, AQK-07, AQK-10, AQK-11)', () => {
    expect(quirk('endpoint', 0x8086, 0x0001)).toBe(false);
    expect(quirk('downstream-port', 0x177d, 0xa4ff)).toBe(false);
    expect(quirk('downstream-port', 0x1c36, 0x0031)).toBe(false);
    expect(quirk('endpoint', 0x1d17, 0x0730)).toBe(false);
  });

  test('every second id of some chipsets (AQK-05)', () => {
    expect([quirk('root-port', 0x8086, 0x1d10), quirk('root-port', 0x8086, 0x1d11), quirk('root-port', 0x8086, 0x8c9e), quirk('root-port', 0x8086, 0x8c9d)]).toEqual([true, false, true, false]);
  });

  test('a port of the vendor that is not listed is refused although its registers say yes (AQK-11, ACS-01)', () => {
    expect(isolates('root-port', { ids: { vendor: 0x1d17, device: 0x0001 }, acs: ON })).toBe(false);
    expect(isolates('endpoint', { ids: { vendor: 0x1d17, device: 0x0001 }, acs: ON, multifunction: true })).toBe(true);
  });

  test('since the release that brought them (AQK-02, AQK-12, AQK-14)', () => {
    expect([quirk('root-port', 0x1957, 0x8d80, 5013), quirk('root-port', 0x1957, 0x8d80, 5015)]).toEqual([false, true]);
    expect([quirk('endpoint', 0x14e4, 0x1760, 6008), quirk('endpoint', 0x14e4, 0x1760, 6012)]).toEqual([false, true]);
    expect([quirk('root-port', 0x0014, 0x7a09, 6014), quirk('root-port', 0x0014, 0x7a09, 6019)]).toEqual([false, true]);
  });
});

/** Rules that say what makes no difference, and steps after boot that the fixtures of drivers cannot show. */
import { describe, expect, test } from 'vitest';
import { importHost } from '../../server/interchange/import-host.js';
import type { FunctionType } from '../../server/simulator/description.js';
import { Topology } from '../../server/simulator/fabric/topology.js';
import { bootAcs } from '../../server/simulator/kernel/acs-boot.js';
import { parseAcsParameters } from '../../server/simulator/kernel/acs-parameters.js';
import { AcsQuestions } from '../../server/simulator/kernel/acs.js';
import { downstreamPort, endpoint, form, groups, host, node, OFF, ON, rootPort, upstreamPort } from '../fabric/sample-host.js';
import { simulateText } from '../scenario/simulate-text.js';

describe('what makes no difference', () => {
  test('phantom functions are no requester IDs (ALI-15)', () => {
    const lspci = (phantom: number): string => `00:01.0 PCI bridge [0604]: Intel Corporation Device [8086:1901] (prog-if 00 [Normal decode])
	Bus: primary=00, secondary=01, subordinate=01, sec-latency=0
	Capabilities: [a0] Express (v2) Root Port (Slot+), MSI 00
01:00.0 Ethernet controller [0200]: Device [1234:5678]
	Capabilities: [78] Express (v2) Endpoint, MSI 00
		DevCap:	MaxPayload 256 bytes, PhantFunc ${phantom}, Latency L0s unlimited, L1 <64us
		DevCtl:	CorrErr- NonFatalErr- FatalErr- UnsupReq-
			RlxdOrd+ ExtTag+ PhantFunc+ AuxPwr- NoSnoop+
`;
    const idsWith = (phantom: number): readonly number[] => {
      const { host: described } = importHost({ lspci: lspci(phantom) });
      return form(described).requesterIds(described.functions.at(-1)!.id);
    };
    expect(idsWith(3)).toEqual([0x100]);
    expect(idsWith(3)).toEqual(idsWith(0));
  });

  test("Pericom's switches have no say of their own: their bits decide (AQK-15)", () => {
    const tree = (vendor: number, acs: typeof ON) => [rootPort('00:01.0', { acs: ON }, upstreamPort('01:00.0', { ids: { vendor, device: 0xb404 } },
      downstreamPort('02:00.0', { acs, ids: { vendor, device: 0xb404 } }, endpoint('03:00.0'))))];
    expect(groups(tree(0x12d8, OFF))).toBe(groups(tree(0x1234, OFF)));
    expect(groups(tree(0x12d8, OFF))).toContain('{02:00.0 03:00.0}');
    expect(groups(tree(0x12d8, ON))).toContain('{02:00.0}');
  });

  test('no type that can be described is left to the rule for all others (ACS-06)', () => {
    const rulesOf = (type: FunctionType): readonly string[] => {
      const topology = new Topology(host([node(type, '01:00.0', { acs: OFF })]));
      const boot = bootAcs(topology, { parameters: parseAcsParameters(new Map()), requested: () => true, release: 6019 });
      return new AcsQuestions(topology, { boot, override: null, hasAmdIommu: false, release: 6019 }).of(topology.byId('01:00.0')!).rules;
    };
    const deciding: Readonly<Record<FunctionType, string>> = {
      pci: 'ACS-02', 'pci-bridge': 'ACS-02', 'pcie-to-pci-bridge': 'ACS-03', 'pci-to-pcie-bridge': 'ACS-03', 'event-collector': 'ACS-03', 'root-port': 'ACS-04', 'downstream-port': 'ACS-04', unknown: 'ACS-04',
      endpoint: 'ACS-05', 'legacy-endpoint': 'ACS-05', 'upstream-port': 'ACS-05', 'integrated-endpoint': 'ACS-05',
    };
    for (const [type, rule] of Object.entries(deciding)) expect([type, rulesOf(type as FunctionType)[0]]).toEqual([type, rule]);
  });
});

/** What each step of the only scenario answers, and the lines that the kernel logs meanwhile. */
async function steps(text: string): Promise<{ results: string[]; log: string[] }> {
  const { report, problems } = await simulateText(text);
  expect(problems).toEqual([]);
  const [run] = report.runs.filter(({ kind }) => kind === 'scenario');
  return { results: run!.actions.map((action) => (action.kind === 'step' ? action.result : '')), log: run!.actions.flatMap((action) => (action.kind === 'step' ? action.messages : [])) };
}

describe('after boot', () => {
  const smmu = (kernel: string, inside: string, actions: string): string => `host h { kernel ${kernel}  cpu arm  iommu smmu0 : smmuv3 { covers rest } ${inside} }\nscenario "s" on h { ${actions} }`;
  const card = 'root-port rp at 00:01.0 { acs SV, RR, CR, UF  function nic at 01:00.0 { driver none } }';

  test('before 6.15 the first driver makes the group, and it stays without it (GRL-07)', async () => {
    const actions = 'group-of nic\nbind nic to vfio-pci\ngroup-of nic\nunbind nic\ngroup-of nic';
    expect((await steps(smmu('6.12', card, actions))).results).toEqual(['ENOENT', 'ok', 'ok', 'ok', 'ok']);
    expect((await steps(smmu('6.19', card, actions))).results).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']);
  });

  test('a device that comes again joins by its driver as well (GRL-06, GRD-04)', async () => {
    const text = (kernel: string): string => `host h { kernel ${kernel}  cpu arm  iommu smmu0 : smmuv2
      platform a { iommu smmu0  streams 1  driver x }  platform b { iommu smmu0  streams 1  driver y } }\nscenario "s" on h { group-of b expect value 0\nremove b\nhotplug b\ngroup-of b expect value 0 }`;
    for (const kernel of ['6.12', '6.19']) expect((await steps(text(kernel))).results).toEqual(['ok', 'ok', 'ok', 'ok']);
  });

  test('what was refused at boot and is taken when its driver binds is found fishy (GRL-08)', async () => {
    const inside = 'platform first { iommu smmu0  streams 5 } platform next { iommu smmu0  streams 5 }';
    const { results, log } = await steps(smmu('6.19', inside, 'group-of next\nremove first\nbind next to pl011\ngroup-of next'));
    expect(results).toEqual(['ENOENT', 'ok', 'ok', 'ok']);
    expect(log).toContain('pl011 next: late IOMMU probe at driver bind, something fishy here!');
    const refused = await steps(smmu('6.19', inside, 'bind next to pl011\ngroup-of next'));
    expect(refused.results).toEqual(['ok', 'ENOENT']);
    expect(refused.log).not.toContain('fishy');
  });

  test('PASIDs are switched on only where the path redirects them: RR and UF (ACE-11)', async () => {
    const text = (control: string): string => `host h { kernel 6.19 cmdline "intel_iommu=on"  iommu u : vtd { covers rest }
      root-port rp at 00:01.0 { acs SV, RR, CR, UF  acs-control ${control}  function dev at 01:00.0 { pasid 20  driver none } } }\nscenario "s" on h { enable-pasid dev }`;
    expect((await Promise.all(['SV, RR, CR, UF', 'RR, UF', 'SV, RR, CR', 'SV, CR, UF'].map(text).map(steps))).map(({ results }) => results[0])).toEqual(['ok', 'ok', 'EINVAL', 'EINVAL']);
  });

  test('a user gets no page table from drivers that make none for others (DOM-25)', async () => {
    const text = (architecture: string): string => `host h { kernel 6.19  iommu t : ${architecture} { covers rest }  function nic at 01:00.0 { driver none } }\nscenario "s" on h { alloc-domain D for nic }`;
    expect((await steps(text('power'))).results).toEqual(['EOPNOTSUPP']);
    expect((await steps(text('s390'))).results).toEqual(['ok']);
  });
});

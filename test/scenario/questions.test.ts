import { describe, expect, test } from 'vitest';
import type { NeverReport } from '../../server/simulator/report.js';
import { runOf, simulateText, stepsOf } from './simulate-text.js';

const host = (commandLine: string, acs = 'SV, RR, CR, UF') => `host rack {
  kernel 6.12 cmdline "${commandLine}"
  cpu intel
  memory 0 .. 0x9_ffff, 0x10_0000 .. 0x7fff_ffff, 4GiB size 60GiB
  iommu dmar0 : vtd { interrupt-remapping  coherent  covers rest }
  root-port rp at 00:01.0 { acs SV, RR, CR, UF
    switch sw at 01:00.0 {
      port p0 at 02:00.0 { acs ${acs}   function gpu0 at 03:00.0 { driver vfio-pci  bar 0 at 0x40_0000_0000 size 16GiB prefetchable } }
      port p1 at 02:01.0 { acs ${acs}   function gpu1 at 04:00.0 { driver vfio-pci  bar 0 at 0x44_0000_0000 size 16GiB prefetchable } }
    }
  }
}
vm one on rack { memory 4GiB  through iommufd  assign gpu0 }
vm two on rack { memory 4GiB  through type1  assign gpu1 }
`;

async function nevers(text: string): Promise<NeverReport[]> {
  const { report, problems } = await simulateText(text);
  expect(problems).toEqual([]);
  return runOf(report, 'rack').actions.filter((action) => action.kind === 'never');
}

describe('never', () => {
  test('two VMs behind an IOMMU are apart, and reach their own memory', async () => {
    const answers = await nevers(`${host('intel_iommu=on')}
never gpu0 reaches memory of host
never gpu0 reaches memory of two
never gpu1 reaches memory of one
never gpu0 reaches gpu1
never gpu0 reaches memory of one`);
    expect(answers.map((answer) => answer.holds)).toEqual([true, true, true, true, false]);
    expect(answers[4]).toMatchObject({ counterExample: { outcome: 'memory', bypassedIommu: false }, why: expect.stringMatching(/^A write at 0x0 arrives at 0x/) });
  });

  test('PCIE-21: without ACS a peer is reached past the IOMMU', async () => {
    const [peer] = await nevers(`${host('intel_iommu=on', 'none')}never gpu0 reaches gpu1`);
    expect(peer).toMatchObject({ holds: false, counterExample: { outcome: 'peer', peer: 'rack/gpu1', bypassedIommu: true } });
    expect(peer?.counterExample?.trace.length).toBeGreaterThan(2);
  });

  test('without IOMMU everything is reached', async () => {
    const answers = await nevers(`${host('intel_iommu=off')}never gpu0 reaches memory of host\nnever gpu0 reaches gpu1`);
    expect(answers.map((answer) => answer.holds)).toEqual([false, false]);
  });

  test('PCIE-25: a mapping that leads to a peer\'s memory is found', async () => {
    const [peer] = await nevers(`${host('intel_iommu=on').replaceAll(/^vm .*$/gm, '')}domain d on rack : unmanaged { map iova 0x8000_0000 size 4KiB to 0x44_0000_3000 rw  attach gpu0 }
never gpu0 reaches gpu1`);
    expect(peer).toMatchObject({ holds: false, why: 'A write at 0x80000000 arrives at 0x4400003000.' });
  });

  test('a read-only mapping is reached by reading', async () => {
    const [read] = await nevers(`${host('intel_iommu=on').replaceAll(/^vm .*$/gm, '')}domain d on rack : unmanaged { map iova 0x8000_0000 size 4KiB to 0x20_0000 r  attach gpu0 }
never gpu0 reaches memory of host`);
    expect(read?.why).toBe('A read at 0x80000000 arrives at 0x200000.');
  });
});

describe('domain statements', () => {
  const alone = (domain: string, rest = '') => `${host('intel_iommu=on').replaceAll(/^vm .*$/gm, '')}${domain}\n${rest}`;
  const outcomes = async (text: string): Promise<string[]> => {
    const { report, problems } = await simulateText(text);
    expect(problems).toEqual([]);
    return runOf(report, 'rack').actions.map((action) => (action.kind === 'dma' ? action.outcome : action.kind === 'step' ? `${action.call} ${action.result}` : ''));
  };

  test.each([
    ['unmanaged { map iova 0x1000 size 4KiB to 0x20_0000 rw  attach gpu0 }', ['memory', 'fault']],
    ['identity { attach gpu0 }', ['memory', 'memory']],
    ['blocked { attach gpu0 }', ['fault', 'fault']],
    ['dma-fq { map iova 0x1000 size 4KiB to 0x20_0000 rw  attach gpu0 }', ['memory', 'fault']],
    ['unmanaged { map iova 0x1000 size 4KiB to 0x20_0001 rw  attach gpu0 }', ['iommu_map() EINVAL', 'fault', 'fault']],
  ])('%s', async (domain, expected) => {
    expect(await outcomes(alone(`domain d on rack : ${domain}`, 'dma gpu0 read 0x1000 size 64\ndma gpu0 read 0x20_0000 size 64'))).toEqual(expected);
  });

  test('ATT-02: a second domain for a group is refused at its attachment', async () => {
    const text = alone('domain d on rack : unmanaged { attach gpu0 }\ndomain e on rack : unmanaged { attach gpu0 }');
    const { report, description } = await simulateText(text);
    expect(stepsOf(runOf(report, 'rack'))).toMatchObject([{ id: description.domains[1]!.attachments[0]!.id, result: 'EBUSY', rules: ['ATT-02'] }]);
  });
});

describe('the final state', () => {
  test('says who has what, and what made each mapping', async () => {
    const { report, description } = await simulateText(host('intel_iommu=on'));
    const { final } = runOf(report, 'rack');
    const gpu0 = final.devices.find((device) => device.device === 'rack/gpu0');
    expect(gpu0).toMatchObject({ driver: 'vfio-pci', owner: 'one' });
    const domain = final.domains[gpu0!.domain!]!;
    expect(domain).toMatchObject({ type: 'unmanaged', unit: 'rack/dmar0', total: 2 });
    expect(domain.mappings[0]).toMatchObject({ iova: { start: 0n, last: 0x7fff_ffffn }, read: true, write: true, pageSizes: [0x20_0000n] });
    const memory = description.owners[0]!.memory[0]!.id;
    expect(domain.mappings.map((mapping) => mapping.subject)).toEqual([memory, memory]);
  });

  test('leaves out what nobody can look at', async () => {
    const maps = Array.from({ length: 600 }, (_, i) => `map iova ${0x10_0000 + i * 0x2000} size 4KiB to ${0x20_0000 + i * 0x3000} rw`).join('\n');
    const { report } = await simulateText(`${host('intel_iommu=on').replaceAll(/^vm .*$/gm, '')}domain d on rack : unmanaged { ${maps}\n attach gpu0 }`);
    const domain = runOf(report, 'rack').final.domains.find((each) => each.name === 'd');
    expect(domain?.mappings).toHaveLength(512);
    expect(domain?.total).toBe(600);
  });
});

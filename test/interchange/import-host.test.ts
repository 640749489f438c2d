import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReservedWord } from '../../language/index.js';
import { ImportError } from '../../server/interchange/import-error.js';
import { importHost } from '../../server/interchange/import-host.js';
import type { HostDescription } from '../../server/simulator/description.js';
import { readBack, runHosts, runRawHosts } from '../conformance/hosts.js';

const FACTS = join(import.meta.dirname, '../../../shared/facts/hosts');
const recorded = existsSync(FACTS);
const recordedFiles = recorded ? readdirSync(FACTS).filter((name) => /^[AB]-.*\.json$/.test(name)) : [];
if (!recorded) console.warn('recorded hosts are not there (../shared/facts/hosts): their tests are skipped');

const DESK = `00:00.0 Host bridge [0600]: Advanced Micro Devices, Inc. [AMD] Root Complex [1022:1480]
	Control: I/O- Mem-
	IOMMU group: 0
00:01.1 PCI bridge [0604]: Advanced Micro Devices, Inc. [AMD] GPP Bridge [1022:1483] (prog-if 00 [Normal decode])
	Bus: primary=00, secondary=01, subordinate=01, sec-latency=0
	IOMMU group: 1
	Capabilities: [58] Express (v2) Root Port (Slot+), MSI 00
	Capabilities: [2a0 v1] Access Control Services
		ACSCap:	SrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans+
		ACSCtl:	SrcValid+ TransBlk- ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-
	Kernel driver in use: pcieport
01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GA104 ["GeForce" RTX 3070\\] [10de:2484] (rev a1) (prog-if 00 [VGA controller])
	IOMMU group: 2
	Region 1: Memory at 4000000000 (64-bit, prefetchable) [size=8G]
	Capabilities: [78] Express (v2) Legacy Endpoint, MSI 00
	Capabilities: [160 v1] Single Root I/O Virtualization (SR-IOV)
		Initial VFs: 2, Total VFs: 2, Number of VFs: 2, Function Dependency Link: 00
		VF offset: 4, stride: 1, Device ID: 2484
	Kernel driver in use: nvidia
01:00.1 Audio device [0403]: NVIDIA Corporation GA104 Audio [10de:228b] (rev a1)
	IOMMU group: 2
	Capabilities: [78] Express (v2) Endpoint, MSI 00
	Kernel driver in use: snd_hda_intel
01:00.4 VGA compatible controller [0300]: NVIDIA Corporation GA104 VF [10de:2484] (rev a1)
	IOMMU group: 3
	Capabilities: [78] Express (v2) Endpoint, MSI 00
	Kernel driver in use: vfio-pci
01:00.5 VGA compatible controller [0300]: NVIDIA Corporation GA104 VF [10de:2484] (rev a1)
	IOMMU group: 4
	Capabilities: [78] Express (v2) Endpoint, MSI 00
`;

/** Identities replaced by names, what is undefined or has a default left out: what two descriptions must agree in. */
function comparable(host: HostDescription): unknown {
  const names = new Map([...host.functions, ...host.iommus].map((thing) => [thing.id, thing.name]));
  const clean = (value: unknown, key: string): unknown => {
    if (typeof value === 'bigint') return `0x${value.toString(16)}`;
    if (typeof value === 'string') return key === 'name' ? value : names.get(value) ?? value;
    if (Array.isArray(value)) return value.map((item) => clean(item, key));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).filter(([name, inner]) => name !== 'id' && inner !== undefined).map(([name, inner]) => [name, clean(inner, name)]));
  };
  return clean(host, '');
}

/** A bridge of which nobody knows where it leads gets buses from the language. */
const withKnownBuses = (host: HostDescription, like: HostDescription): HostDescription => {
  const unknown = new Set(like.functions.filter((fn) => fn.buses === undefined).map((fn) => fn.name));
  return { ...host, functions: host.functions.map((fn) => (unknown.has(fn.name) ? { ...fn, buses: undefined } : fn)) };
};

async function expectRoundTrip(lspci: string, more: { readonly dmesg?: string } = {}): Promise<void> {
  const imported = importHost({ lspci, ...more });
  const { host, problems } = await readBack(imported);
  expect(problems).toEqual([]);
  expect(comparable(withKnownBuses(host, imported.host))).toEqual(comparable(imported.host));
}

describe('import', () => {
  const desk = importHost({ lspci: DESK, name: 'desk' });

  it('names things as people would, and nothing like a word of the language', () => {
    expect(desk.host.functions.map((fn) => fn.name)).toEqual(['host_bridge', 'rp1', 'gpu', 'gpu_audio', 'gpu_vf0', 'gpu_vf1']);
    expect(desk.host.functions.filter((fn) => isReservedWord(fn.name))).toEqual([]);
  });

  it('puts functions below their bridge and virtual functions with their physical one', () => {
    const [, port, gpu, , vf0] = desk.host.functions;
    expect(gpu!.upstream).toBe(port!.id);
    expect(vf0!.virtualFunction).toEqual({ of: gpu!.id, index: 0 });
    expect(vf0!.upstream).toBe(port!.id);
  });

  it('takes a function that is called virtual for one, where SR-IOV is not shown, and says so', () => {
    const named = importHost({
      lspci: `03:00.0 Ethernet controller [0200]: Intel Corporation I350 Gigabit Network Connection [8086:1521]
	Flags: bus master
03:10.0 Ethernet controller [0200]: Intel Corporation I350 Ethernet Controller Virtual Function [8086:1520]
	Flags: bus master
03:10.1 Ethernet controller [0200]: Intel Corporation I350 Ethernet Controller Virtual Function [8086:1520]
	Flags: bus master
`,
    });
    expect(named.host.functions.map((fn) => [fn.name, fn.virtualFunction?.index])).toEqual([['nic', undefined], ['nic_vf0', 0], ['nic_vf1', 1]]);
    expect(named.notes.join(' ')).toContain('known by their names only');
  });

  it('keeps the control register only where it is not what the kernel sets at boot (ACE-03)', () => {
    expect(desk.host.functions[1]!.acs).toEqual({ capability: 0x5f, control: undefined, firmwareControl: 0 });
    const off = importHost({ lspci: DESK.replace(/ACSCtl:.*/, 'ACSCtl: SrcValid+ ReqRedir- UpstreamFwd-') });
    expect(off.host.functions[1]!.acs).toMatchObject({ control: 1 });
  });

  it('does not take what lspci shows as control register of a Sunrise Point port for it (AQK-06)', () => {
    const spt = importHost({ lspci: DESK.replace('[1022:1483]', '[8086:a110]').replace(/ACSCtl:.*/, 'ACSCtl: SrcValid- UpstreamFwd-') });
    expect(spt.host.functions[1]!.acs).toMatchObject({ control: undefined });
  });

  it('chooses the IOMMU by the maker of the processor and covers what was recorded in a group', () => {
    expect(desk.host.iommus).toMatchObject([{ architecture: 'amd-vi', covers: 'rest' }]);
    expect(importHost({ lspci: DESK.replaceAll('[1022:', '[8086:') }).host.iommus).toMatchObject([{ architecture: 'vtd' }]);
    const without = importHost({ lspci: DESK.replace('IOMMU group: 0', 'Latency: 0') });
    expect(without.host.iommus).toMatchObject([{ covers: ['machine/rp1'] }]);
    const below = importHost({ lspci: DESK.replaceAll('[1022:', '[8086:').replace('IOMMU group: 3', 'Latency: 0') });
    expect(below.host.iommus).toMatchObject([{ covers: 'rest', except: ['machine/gpu_vf0'] }]);
    expect(below.text).toContain('covers rest except gpu_vf0');
  });

  it('puts the domain of a VMD endpoint behind it (GRP-19)', () => {
    const vmd = importHost({
      lspci: `0000:00:0e.0 RAID bus controller [0104]: Intel Corporation VMD [8086:9a0b]
	Capabilities: [80] Express (v2) Root Complex Integrated Endpoint, MSI 00
	Kernel driver in use: vmd
10000:e1:00.0 Non-Volatile memory controller [0108]: Samsung NVMe [144d:a80a]
	Capabilities: [70] Express (v2) Endpoint, MSI 00
`,
    });
    expect(vmd.host.functions[1]).toMatchObject({ name: 'nvme0', behindVmd: 'machine/raid' });
  });

  it('says what is not known instead of guessing', () => {
    const bare = importHost({ lspci: '00:01.0 PCI bridge: Intel Corporation Root Port (rev 05)\n01:00.0 VGA compatible controller: NVIDIA Corporation GA104\n' });
    expect(bare.host.functions.map((fn) => [fn.type, fn.acs])).toEqual([['unknown', 'unknown'], ['unknown', 'unknown']]);
    expect(bare.notes.join('\n')).toMatch(/Capabilities are not known of all 2 functions[^]*IDs are not known of all 2 functions[^]*Which bridge leads to which bus/);
    for (const note of bare.notes) expect(bare.text.replace(/\s+(\/\/\s+)?/g, ' ')).toContain(note);
  });

  it('prints what the language reads back as the same host', () => expectRoundTrip(DESK));

  it('also with virtual functions on a bus of their own (ALI-16)', async () => {
    const spilled = DESK.replace('VF offset: 4', 'VF offset: 256').replace('subordinate=01', 'subordinate=02').replace('01:00.4', '02:00.0').replace('01:00.5', '02:00.1');
    expect(importHost({ lspci: spilled }).host.functions.filter((fn) => fn.virtualFunction !== undefined).map((fn) => fn.name)).toEqual(['gpu_vf0', 'gpu_vf1']);
    await expectRoundTrip(spilled);
  });

  it('refuses what is neither lspci output nor host facts, and says where', () => {
    expect(() => importHost({ lspci: 'hello\nworld' })).toThrow(ImportError);
    expect(() => importHost({ lspci: '{"devices": 3}' })).toThrow(/no list "devices"/);
    expect(() => importHost({ lspci: '{"devices": [{}]}' })).toThrow(/device 0/);
    expect(() => importHost({ lspci: '{' })).toThrow(/not valid JSON/);
  });
});

/** The same cases every time, unless more of them are asked for. */
const RUNS = process.env.IMPORT_RUNS === undefined ? { numRuns: 40, seed: 1 } : { numRuns: Number(process.env.IMPORT_RUNS) };

describe('any input', () => {
  const importOrRefuse = (text: string): void => {
    try {
      importHost({ lspci: text, dmesg: text, commandLine: text });
    } catch (error) {
      if (!(error instanceof ImportError)) throw error;
    }
  };

  it('is imported or refused, never a crash', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), importOrRefuse));
  });

  it('even when it is a damaged dump, whose text the language still reads', async () => {
    const damage = fc.array(fc.record({ at: fc.nat(DESK.length), length: fc.nat(12), by: fc.string({ unit: fc.constantFrom(...'0123:.[]abf+- \t\n"\\') }) }), { maxLength: 6 });
    await fc.assert(fc.asyncProperty(damage, async (edits) => {
      const text = edits.reduce((all, { at, length, by }) => all.slice(0, at) + by + all.slice(at + length), DESK);
      let imported;
      try {
        imported = importHost({ lspci: text });
      } catch (error) {
        expect(error).toBeInstanceOf(ImportError);
        return;
      }
      expect((await readBack(imported)).problems).toEqual([]);
    }), RUNS);
  });

  it('even when it is JSON with values that do not belong there', async () => {
    const device = fc.record({
      bdf: fc.constantFrom('0000:00:01.0', '0000:01:00.0', '10000:e1:00.1'), class: fc.anything(), vendor: fc.anything(), device: fc.anything(), name: fc.anything(),
      header_type: fc.anything(), pcie_type: fc.anything(), caps_known: fc.anything(), acs: fc.oneof(fc.anything(), fc.record({ cap: fc.anything(), ctl: fc.anything() })),
      sriov: fc.anything(), bridge: fc.oneof(fc.anything(), fc.record({ secondary: fc.anything(), subordinate: fc.anything() })), driver: fc.anything(), iommu_group: fc.anything(),
    }, { requiredKeys: ['bdf'] });
    const file = fc.record({ id: fc.anything(), kind: fc.constantFrom('A', 'B'), cpu_vendor: fc.anything(), kernel: fc.anything(), cpu: fc.anything(), cmdline: fc.anything(), default_domain: fc.anything(), devices: fc.array(device) });
    await fc.assert(fc.asyncProperty(file, async (json) => {
      expect((await readBack(importHost({ lspci: JSON.stringify(json) }))).problems).toEqual([]);
    }), RUNS);
  });

  it('takes time in proportion to its length', () => {
    const segment = (index: number): string => DESK.replace(/^(\d\d:)/gm, `${index.toString(16).padStart(4, '0')}:$1`);
    /** On-CPU time in microseconds. */
    const cost = (count: number): number => {
      const text = Array.from({ length: count }, (_, index) => segment(index)).join('');
      const before = process.cpuUsage();
      importHost({ lspci: text });
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    cost(400);
    const small = Math.min(cost(400), cost(400), cost(400));
    /* Eight times the input: linear is 8, quadratic 64. */
    expect(Math.min(cost(3200), cost(3200)) / small).toBeLessThan(40);
  });
});

describe.skipIf(!recorded)('recorded hosts', () => {
  it.each(recordedFiles)('%s prints text that reads back as the same host', (name) => expectRoundTrip(readFileSync(join(FACTS, name), 'utf8')));

  it('kind A: groups are the recorded ones', async () => {
    const outcomes = await Promise.all(recordedFiles.filter((name) => name.startsWith('A-')).map((name) => runHosts(join(FACTS, name))));
    expect(outcomes.flatMap((outcome) => outcome.differences)).toEqual([]);
    expect(outcomes.every((outcome) => outcome.agree === 1)).toBe(true);
  });

  it('kind B: never wrong where the record shows enough', async () => {
    const outcomes = await Promise.all(recordedFiles.filter((name) => name.startsWith('B-')).map((name) => runHosts(join(FACTS, name))));
    expect(outcomes.reduce((wrong, outcome) => wrong + outcome.differ, 0)).toBe(0);
  });

  it('raw dumps: groups are the recorded ones wherever the dump shows the ACS bits', async () => {
    const outcome = await runRawHosts(join(FACTS, 'raw'));
    expect(outcome).toMatchObject({ differ: 0, notCovered: 0 });
    expect(outcome.agree).toBeGreaterThanOrEqual(12);
  });

  it.each(recorded ? readdirSync(join(FACTS, 'raw')) : [])('raw dump %s prints text that reads back as the same host', (id) => {
    const log = join(FACTS, 'raw', id, 'dmesg_ctx.txt');
    return expectRoundTrip(readFileSync(join(FACTS, 'raw', id, 'lspci.txt'), 'utf8'), existsSync(log) ? { dmesg: readFileSync(log, 'utf8') } : {});
  });
});

import { describe, expect, it } from 'vitest';
import { DESK, described, parse, steps, Workspace } from './support.js';

const host = async (text: string) => (await described(text)).hosts[0]!;
const functions = async (text: string) => (await host(text)).functions;
const bdf = ({ address: { bus, device, function: fn } }: { address: { bus: number; device: number; function: number } }): string =>
  `${bus.toString(16).padStart(2, '0')}:${device.toString(16).padStart(2, '0')}.${fn}`;

describe('a host becomes its description', () => {
  it('keeps kernel, command line, options and parameters', async () => {
    const { kernel } = await host('host h { kernel 6.12.107-foo cmdline "iommu=pt" { options A, !B parameters "m.p=1", "m.q=2" } cpu intel }');
    expect(kernel).toMatchObject({ id: 'h/kernel', version: '6.12.107-foo', commandLine: 'iommu=pt', buildOptions: ['A', '!B'], moduleParameters: ['m.p=1', 'm.q=2'], cpuVendor: 'intel' });
  });

  it('guesses the CPU vendor from the unit when nothing is said', async () => {
    expect((await host('host h { iommu u : amd-vi }')).kernel.cpuVendor).toBe('amd');
    expect((await host('host h { }')).kernel.cpuVendor).toBe('unknown');
  });

  it('sorts memory and joins neighbours', async () => {
    expect((await host('host h { memory 0x2000 size 4KiB, 0 .. 0xfff, 0x1000 .. 0x1fff }')).memory).toEqual([{ start: 0n, last: 0x2fffn }]);
  });

  it('reads a unit with usual and stated properties', async () => {
    const [unit] = (await host('host h { iommu u : vtd { levels 5, 4 page-sizes 2MiB, 4KiB no-coherent interrupt-remapping no ats pasid 20 segment 1 } }')).iommus;
    expect(unit).toMatchObject({ id: 'h/u', architecture: 'vtd', covers: 'rest', levels: [4, 5], pageSizes: [4096n, 0x20_0000n], coherent: false, interruptRemapping: false, passThrough: true, deviceTlb: true, pasidBits: 20, segment: 1 });
  });

  it('lets a unit cover devices', async () => {
    expect((await host('host h { iommu u : vtd { covers a, b } integrated a integrated b }')).iommus[0]!.covers).toEqual(['h/a', 'h/b']);
  });

  it('reads the ACS register as capability, control and what firmware left', async () => {
    const [port, plain, unknown] = await functions('host h { root-port p at 00:01.0 { acs SV, RR, CR, UF acs-control SV acs-firmware DT } root-port q at 00:02.0 { acs none } root-port r at 00:03.0 { acs unknown } }');
    expect(port!.acs).toMatchObject({ capability: 0x1d, control: 0x01, firmwareControl: 0x40 });
    expect(plain!.acs).toBe('none');
    expect(unknown!.acs).toBe('unknown');
  });

  it('makes places for functions, their BARs and their properties', async () => {
    const { lowered } = await parse(DESK);
    const gpu = lowered.places.get('desk/gpu')!;
    expect(gpu.uri).toBe('file:///a.iommu');
    expect(gpu.nameRange).toEqual({ start: { line: 6, character: 13 }, end: { line: 6, character: 16 } });
    expect(Object.keys(gpu.properties)).toEqual(['id', 'class', 'driver', 'bar']);
    const line = DESK.split('\n')[6]!;
    expect(gpu.bodyRange).toEqual({ start: { line: 6, character: line.indexOf('{') + 1 }, end: { line: 6, character: line.indexOf('}') } });
    expect(lowered.places.get('desk/gpu/bar0')!.range.start).toEqual({ line: 6, character: line.indexOf('bar 0') });
  });

  it('has a place for every subject of the description', async () => {
    const { lowered } = await parse(`${DESK}group g { gpu, nic.vf1 }\nvm v on desk { memory 1GiB assign nic.vf0 }\ndomain d on desk { map iova 0 size 4KiB to 0 attach usb }\ndma gpu read 0\nscenario "s" on desk { memory ram size 4KiB open-container c dma gpu read 0 }`);
    const ids = [...JSON.stringify(lowered.description, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)).matchAll(/"id":"([^"]+)"/g)].map((match) => match[1]!);
    expect(ids.length).toBeGreaterThan(25);
    expect(ids.filter((id) => !lowered.places.has(id))).toEqual([]);
  });
});

describe('addresses and buses', () => {
  it('gives the lowest free device to a function without address, and the lowest unused bus to a bridge', async () => {
    const all = await functions('host h { root-port a at 00:01.0 { function x } root-port b { function y function z } function c : conventional }');
    expect(all.map((it) => `${it.name} ${bdf(it)}`)).toEqual(['a 00:01.0', 'b 00:02.0', 'c 00:03.0', 'x 01:00.0', 'y 02:00.0', 'z 02:00.1']);
  });

  it('takes the buses of a bridge from its children', async () => {
    const [root, sw] = await functions('host h { root-port r at 00:01.0 { switch s at 03:00.0 { port p at 04:00.0 { function f at 07:00.0 } port q at 04:01.0 { function g at 09:00.0 } } } }');
    expect(root!.buses).toEqual({ secondary: 3, subordinate: 9 });
    expect(sw!.buses).toEqual({ secondary: 4, subordinate: 9 });
  });

  it('enumerates a bus before what is below its bridges', async () => {
    const all = await functions('host h { root-port b at 00:1c.0 { function x at 02:00.0 } integrated u at 00:14.0 root-port a at 00:01.0 { function y at 01:00.1 function z at 01:00.0 } }');
    expect(all.map((it) => it.name)).toEqual(['a', 'u', 'b', 'z', 'y', 'x']);
  });

  it('PCIE-02: virtual functions have the requester ID that offset and stride give, also over a bus border', async () => {
    const all = await functions('host h { root-port r at 00:01.0 { buses 01 .. 02 function nic at 01:00.0 { sriov vfs 3 of 4 offset 254 stride 2 } } }');
    expect(all.filter((it) => it.virtualFunction).map((it) => `${it.name} ${bdf(it)} ${it.id}`)).toEqual(['nic.vf0 01:1f.6 h/nic.vf0', 'nic.vf1 02:00.0 h/nic.vf1', 'nic.vf2 02:00.2 h/nic.vf2']);
  });

  it('places an explicitly listed virtual function by its index', async () => {
    const all = await functions('host h { root-port r at 00:01.0 { function nic at 01:00.0 { sriov vfs 0 of 8 offset 128 stride 2 } virtual-function v of nic index 3 } }');
    expect(all.find((it) => it.name === 'v')).toMatchObject({ address: { segment: 0, bus: 1, device: 0x10, function: 6 }, virtualFunction: { of: 'h/nic', index: 3 }, upstream: 'h/r' });
  });

  it('keeps the segment of a VMD domain', async () => {
    const all = await functions('host h { integrated vmd at 00:0e.0 root-port r at 10000:e0:06.0 { behind vmd function n at 10000:e1:00.0 } }');
    expect(all.find((it) => it.name === 'r')).toMatchObject({ address: { segment: 0x10000, bus: 0xe0 }, behindVmd: 'h/vmd' });
  });
});

describe('owners, domains, questions', () => {
  it('reads an owner', async () => {
    const { owners: [owner] } = await described(`${DESK}process p on desk { memory ram size 1GiB at 0x1000 vaddr 0x7f00_0000_0000 backing 1GiB hugetlb memlock 2GiB through iommufd capabilities IPC_LOCK, SYS_ADMIN assign gpu, nic.vf2 }`);
    expect(owner).toMatchObject({ id: 'process:p', kind: 'process', host: 'desk', through: 'iommufd', memlock: 2n << 30n, capabilities: ['IPC_LOCK', 'SYS_ADMIN'] });
    expect(owner!.memory).toEqual([{ id: 'process:p/ram', name: 'ram', size: 1n << 30n, at: 0x1000n, virtual: 0x7f00_0000_0000n, backing: 1n << 30n, kind: 'hugetlb' }]);
    expect(owner!.assigned.map((it) => it.device)).toEqual(['desk/gpu', 'desk/nic.vf2']);
  });

  it('reads questions with the last address of all', async () => {
    const { questions } = await described(`${DESK}let top = 0xffff_ffff_ffff_ffff\ndma gpu execute top size 1 pasid 5 privileged expect fault 0x06\nnever gpu reaches nic`);
    expect(questions[0]).toMatchObject({ kind: 'dma', id: 'dma:1', address: 0xffff_ffff_ffff_ffffn, size: 1n, pasid: 5, privileged: true, execute: true, access: 'read', expect: { kind: 'fault', code: 6 } });
    expect(questions[1]).toMatchObject({ kind: 'never', id: 'never:2', target: { kind: 'device', device: 'desk/nic' } });
  });

  it('binds in a host and after it', async () => {
    const { hosts: [desk] } = await described(`${DESK}bind gpu, audio to vfio-pci`);
    expect(desk!.bindings).toEqual([{ id: 'desk/bind/gpu', device: 'desk/gpu', driver: 'vfio-pci' }, { id: 'desk/bind/audio', device: 'desk/audio', driver: 'vfio-pci' }]);
  });
});

describe('steps', () => {
  it('become operands by role, with offsets, constants and flags', async () => {
    const [, map] = await steps(`${DESK}let where = 0x1000\nscenario "s" on desk { memory ram size 1MiB open-container c map c iova where size 4KiB from ram + 0x2000 rw expect ok }`);
    expect(map).toMatchObject({
      id: 'scenario:s/2', verb: 'map', process: 'main', flags: ['rw'], expect: { kind: 'ok' }, text: 'map c iova where size 4KiB from ram + 0x2000 rw expect ok',
      operands: {
        target: { kind: 'handle', name: 'c' }, iova: { kind: 'number', value: 0x1000n }, size: { kind: 'number', value: 4096n },
        memory: { kind: 'subject', subject: 'scenario:s/ram', name: 'ram' }, memoryOffset: { kind: 'number', value: 0x2000n },
      },
    });
  });

  it('takes words that are keywords elsewhere as flags and words', async () => {
    const all = await steps(`${DESK}scenario "s" on desk { busmaster gpu on bind gpu to vfio-pci by qemu open-container c kill qemu open-iommufd f ioas-alloc A in f hwpt-alloc H on A for gpu pasid nest-parent }`);
    expect(all[0]!.flags).toEqual(['on']);
    expect(all[1]!.operands['driver']).toEqual({ kind: 'word', word: 'vfio-pci' });
    expect(all[2]!.process).toBe('qemu');
    expect(all.at(-1)!.flags).toEqual(['pasid', 'nest-parent']);
  });

  it('keep the handles of two processes apart', async () => {
    const { problems } = await parse(`${DESK}scenario "s" on desk { by a open-container c  by b iommu-info c }`);
    expect(problems.map((problem) => problem.code)).toEqual(['language/unknown-name']);
  });

  it('are the same text on one line or several, with comments between', async () => {
    const [one] = await steps(`${DESK}scenario "s" on desk { memory m size 1MiB open-container c // c\n }`);
    expect(one!.text).toBe('open-container c');
  });
});

describe('several files', () => {
  const files = (main: string, hostFile: string) => [{ uri: 'file:///dir/main.iommu', text: main }, { uri: 'file:///dir/hosts/desk.iommu', text: hostFile }];

  it('use brings hosts and owners, but not what the other file asks', async () => {
    const { parseFiles } = await import('../../language/index.js');
    const { lowered, problems } = await parseFiles(files('use "hosts/desk.iommu"\ndma gpu read 0x1000', `${DESK}vm v on desk { memory 1GiB }\ndma gpu write 0\nscenario "s" on desk { }`), 'file:///dir/main.iommu');
    expect(problems).toEqual([]);
    expect(lowered.description.hosts.map((it) => it.name)).toEqual(['desk']);
    expect(lowered.description.owners.map((it) => it.name)).toEqual(['v']);
    expect(lowered.description.questions.map((it) => it.text)).toEqual(['dma gpu read 0x1000']);
    expect(lowered.description.scenarios).toEqual([]);
    expect(lowered.places.get('desk/gpu')!.uri).toBe('file:///dir/hosts/desk.iommu');
  });

  it('files that use one another end', async () => {
    const { parseFiles } = await import('../../language/index.js');
    const { lowered } = await parseFiles(files('use "hosts/desk.iommu"', `use "../main.iommu"\n${DESK}`), 'file:///dir/main.iommu');
    expect(lowered.description.hosts).toHaveLength(1);
  });

  it('a missing file is a problem at its path', async () => {
    const { problems } = await parse('use "gone.iommu"');
    expect(problems.map((problem) => [problem.code, problem.range.start.character])).toEqual([['language/missing-file', 4]]);
  });
});

describe('the same text gives the same description', () => {
  it('twice', async () => {
    const workspace = new Workspace();
    expect((await workspace.lowered(DESK)).description).toEqual((await workspace.lowered(DESK)).description);
  });
});

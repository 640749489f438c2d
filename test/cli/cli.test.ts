import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NOT_VIABLE, VIABLE } from '../samples.js';

const folder = mkdtempSync(join(tmpdir(), 'iommu-cli-'));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const empty = join(folder, 'empty');
mkdirSync(empty);
const bad = file('bad.iommu', NOT_VIABLE);
const good = file('good.iommu', VIABLE);

interface Ran { readonly status: number | null; readonly stdout: string; readonly stderr: string }
const iommu = (...args: string[]): Ran => spawnSync(process.execPath, ['dist/iommu.cjs', ...args], { encoding: 'utf8' });

describe('exit codes', () => {
  it('0: clean', () => expect(iommu('check', good).status).toBe(0));
  it('1: findings', () => expect(iommu('check', good, bad).status).toBe(1));
  it.each([[[]], [['nonsense']], [['check']], [['check', '--nonsense', good]], [['check', join(folder, 'missing.iommu')]], [['check', empty]], [['check', good, '--format', 'yaml']], [['explain', 'nonsense']], [['trace', good, '--line', '1']]])('2: %j', (args) => {
    const { status, stderr, stdout } = iommu(...args);
    expect(status).toBe(2);
    expect(stderr + stdout).not.toContain('    at ');
  });
});

describe('what a person tries first', () => {
  it.each([[['--help']], [['help']], [['check', '--help']], [['import', '-h']]])('%j prints the commands', (args) => {
    const { status, stdout } = iommu(...args);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^usage: iommu COMMAND/);
  });

  it('a folder stands for the .iommu files in it and below', () => {
    const host = join(folder, 'lab', 'host');
    mkdirSync(join(folder, 'lab', 'node_modules'), { recursive: true });
    mkdirSync(host);
    writeFileSync(join(host, 'a.iommu'), NOT_VIABLE);
    writeFileSync(join(folder, 'lab', 'b.iommu'), VIABLE);
    writeFileSync(join(folder, 'lab', 'node_modules', 'c.iommu'), NOT_VIABLE);
    const { status, stdout } = iommu('check', join(folder, 'lab'));
    expect(status).toBe(1);
    expect(new Set(stdout.match(/[\w/]+\.iommu(?=:\d)/g)?.map((path) => path.slice(path.indexOf('lab'))))).toEqual(new Set(['lab/host/a.iommu']));
    expect(stdout).toContain('2 files');
  });
});

describe('the contract', () => {
  it('groups --format json', () => {
    expect(JSON.parse(iommu('groups', good, '--format', 'json').stdout)).toEqual({ groups: [['0000:00:01.0'], ['0000:01:00.0', '0000:01:00.1']] });
  });

  it('groups --format json says which groups depend on unknown facts', () => {
    const unknown = file('unknown.iommu', VIABLE.replaceAll(/acs [A-Z, ]+/g, 'acs unknown '));
    const { groups, uncertain } = JSON.parse(iommu('groups', unknown, '--format', 'json').stdout) as { groups: string[][]; uncertain: string[][] };
    expect(uncertain.length).toBeGreaterThan(0);
    for (const group of uncertain) expect(groups).toContainEqual(group);
  });

  it('simulate --format json: steps, DMA, findings, addresses as 0x…', () => {
    const { steps, dma, findings } = JSON.parse(iommu('simulate', good, '--format', 'json').stdout) as { steps: { id: string; text: string; line: number; result: string; messages: string[] }[]; dma: { outcome: string; address: string; trace: object[] }[]; findings: { severity: string }[] };
    expect(steps.every((step) => step.result === 'ok' && step.id !== '' && step.text !== '' && step.line > 0 && Array.isArray(step.messages))).toBe(true);
    expect(dma).toHaveLength(1);
    expect(dma[0]!.outcome).toBe('memory');
    expect(dma[0]!.address).toMatch(/^0x[0-9a-f]+$/);
    expect(dma[0]!.trace.length).toBeGreaterThan(4);
    expect(findings.filter(({ severity }) => severity === 'error' || severity === 'warning')).toEqual([]);
  });

  it('simulate --format json of a bad file: the errno, the fault, the findings', () => {
    const { status, stdout } = iommu('simulate', bad, '--format', 'json');
    const { steps, dma, findings } = JSON.parse(stdout) as { steps: { result: string }[]; dma: { outcome: string; fault: { code: string } }[]; findings: { code: string }[] };
    expect(status).toBe(1);
    expect(steps.map((step) => step.result)).toContain('EPERM');
    expect(dma[0]!.outcome).toBe('fault');
    expect(findings.map((finding) => finding.code)).toContain('ownership/group-not-viable');
  });

  it('calls prints a file that simulates beside the one it uses', () => {
    const { status, stdout } = iommu('calls', good);
    expect(status).toBe(0);
    expect(stdout).toContain('use "good.iommu"');
    const again = file('good-calls.iommu', stdout);
    const { steps } = JSON.parse(iommu('simulate', again, '--format', 'json').stdout) as { steps: { text: string; result: string }[] };
    const [host, scenario] = [steps.slice(0, steps.length / 2), steps.slice(steps.length / 2)];
    expect(scenario.map(({ text, result }) => ({ text, result }))).toEqual(host.map(({ text, result }) => ({ text, result })));
    expect(iommu('calls', good, '--owner', 'win11').stdout).toBe(stdout);
    expect(iommu('calls', good, '--owner', 'nobody').status).toBe(2);
  });

  it('trace prints every table entry that was read', () => {
    const { stdout } = iommu('trace', good);
    for (const entry of ['root entry', 'context entry', 'level']) expect(stdout).toContain(entry);
  });

  it('import writes a file once and not over it', () => {
    const lspci = file('lspci.txt', '00:00.0 Host bridge [0600]: Intel Corporation Device [8086:3e30]\n\n00:01.0 PCI bridge [0604]: Intel Corporation Device [8086:1901] (prog-if 00 [Normal decode])\n\tBus: primary=00, secondary=01, subordinate=01, sec-latency=0\n\tCapabilities: [a0] Express (v2) Root Port (Slot+), MSI 00\n\tCapabilities: [140 v1] Access Control Services\n\t\tACSCap:\tSrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-\n\t\tACSCtl:\tSrcValid+ TransBlk- ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-\n\n01:00.0 VGA compatible controller [0300]: NVIDIA Corporation Device [10de:2484] (rev a1)\n\tCapabilities: [78] Express (v2) Legacy Endpoint, MSI 00\n\tKernel driver in use: nvidia\n');
    const out = join(folder, 'host.iommu');
    expect(iommu('import', lspci, '--out', out).status).toBe(0);
    expect(readFileSync(out, 'utf8')).toContain('10de:2484');
    expect(iommu('check', out).status).toBe(0);
    expect(iommu('import', lspci, '--out', out).status).toBe(2);
    expect(iommu('import', lspci, '--out', out, '--force').status).toBe(0);
  });

  it('import of something else says so', () => {
    const { status, stderr } = iommu('import', file('novel.txt', 'It was a dark and stormy night.\n'));
    expect(status).toBe(2);
    expect(stderr).toContain('novel.txt');
  });

  describe('what-if', () => {
    const shared = file('shared.iommu', `host h {
  kernel 6.12 cmdline "intel_iommu=on"
  iommu dmar0 : vtd { covers rest }
  root-port slot1 at 00:01.0 { acs SV, RR, CR, UF }
  root-port slot2 at 00:1c.0 { function gpu at 01:00.0 { class vga } }
  root-port slot3 at 00:1c.1 { function nic at 02:00.0 { class ethernet } }
}
`);
    it('tells each verified change with the groups after it, and the DMA that makes a split cosmetic', () => {
      const { status, stdout } = iommu('what-if', shared, '--apart', 'gpu,02:00.0', '--format', 'json');
      const answer = JSON.parse(stdout) as { now: string; blame: { at: string }[]; alternatives: { title: string; kind: string; groupsAfter: string[][]; proof?: { path: string[] } }[] };
      expect(status).toBe(0);
      expect(answer.now).toBe('together');
      expect(answer.blame.map((each) => each.at)).toContain('0000:00:1c.0');
      expect(answer.alternatives[0]!.title).toContain('Move gpu to the slot of slot1');
      for (const { groupsAfter } of answer.alternatives) expect(groupsAfter.find((group) => group.includes('0000:00:1c.0'))).not.toEqual(expect.arrayContaining(['0000:01:00.0', '0000:02:00.0']));
      expect(answer.alternatives.filter((each) => each.kind === 'cosmetic').map((each) => each.proof!.path.length)).toEqual([expect.any(Number)]);
    });

    it('says it in words', () => {
      const { stdout } = iommu('what-if', shared, '--apart', 'gpu,nic');
      expect(stdout).toContain('gpu and nic share an IOMMU group');
      expect(stdout).toContain('(not real) Boot with pcie_acs_override=');
    });

    it('ends with 1 where nothing real helps', () => {
      const bus = file('bus.iommu', 'host h {\n  iommu u : vtd { }\n  bridge b at 00:1e.0 : pci { function x at 01:00.0 : conventional { }  function y at 01:01.0 : conventional { } }\n}\n');
      expect(iommu('what-if', bus, '--apart', 'x,y').status).toBe(1);
    });

    it.each([[[]], [['--apart', 'gpu']], [['--apart', 'gpu,nobody']], [['--apart', 'gpu,nic', bad]]])('is not asked so: %j', (args) => expect(iommu('what-if', shared, ...args).status).toBe(2));
  });

  it('explain prints a page', () => expect(iommu('explain', 'ownership/group-not-viable').stdout).toContain('# ownership/group-not-viable'));
});

it('npm run --silent iommu works from a checkout', () => {
  expect(execFileSync('npm', ['run', '--silent', 'iommu', '--', 'groups', good, '--format', 'json'], { encoding: 'utf8' })).toContain('"groups"');
});

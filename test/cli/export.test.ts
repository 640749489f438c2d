import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NOT_VIABLE, VIABLE } from '../samples.js';

const folder = mkdtempSync(join(tmpdir(), 'iommu-export-'));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const good = file('good.iommu', VIABLE);
const bad = file('bad.iommu', NOT_VIABLE);
const two = 'test/fixtures/export/server.iommu';
const iommu = (...args: string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } => spawnSync(process.execPath, ['dist/iommu.cjs', ...args], { encoding: 'utf8' });

describe('iommu export', () => {
  it('a command line is one line, its notes go to the other stream', () => {
    const { status, stdout, stderr } = iommu('export', good, '--to', 'cmdline');
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'intel_iommu=on\n' });
    expect(stderr).toContain('Firmware settings');
  });

  it('a file has its notes in it', () => {
    const { status, stdout, stderr } = iommu('export', two, '--to', 'libvirt', '--owner', 'guest');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toBe(readFileSync('test/interchange/golden/server-libvirt.xml', 'utf8'));
  });

  it('what does not start is not exported: 1, the reason, the code', () => {
    const { status, stdout, stderr } = iommu('export', bad, '--to', 'qemu');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('does not start in the simulation');
    expect(stderr).toContain('[ownership/group-not-viable]');
  });

  it.each([[[]], [['--to', 'grub']], [['--to', 'qemu', '--owner', 'nobody']], [['--to', 'qemu', good]]])('2: %j', (args) => {
    const { status, stderr } = iommu('export', good, ...args);
    expect(status).toBe(2);
    expect(stderr).not.toContain('    at ');
  });

  it('2: which of several owners?', () => expect(iommu('export', two, '--to', 'qemu')).toMatchObject({ status: 2, stderr: expect.stringContaining('guest, dpdk') }));
});

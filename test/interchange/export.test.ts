/** Exports of owners that work in the simulation: as a person would write them (test/interchange/golden; `UPDATE_GOLDEN=1` writes them anew). */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { exportOwner, isRefusal, type ExportedOwner } from '../../server/analysis/export.js';
import { relevantCommandLine } from '../../server/interchange/command-line.js';
import { EXPORT_TARGETS } from '../../server/interchange/export.js';
import { shellWord } from '../../server/interchange/shell.js';
import { attributeValue, comment, element, printElement, textContent } from '../../server/interchange/xml.js';
import { analyseText, codesOf } from '../helpers.js';
import { NOT_VIABLE, VIABLE } from '../samples.js';

const fixture = (name: string): string => readFileSync(join(import.meta.dirname, `../fixtures/export/${name}.iommu`), 'utf8');
const golden = (name: string): string => join(import.meta.dirname, 'golden', name);

async function exported(text: string, target: string, owner?: string): Promise<ExportedOwner> {
  const result = exportOwner((await analyseText(text)).analysis, target, owner);
  if (isRefusal(result)) throw new Error(result.error);
  return result;
}

async function refusal(text: string, target: string, owner?: string): Promise<{ readonly error: string; readonly codes: readonly string[] }> {
  const result = exportOwner((await analyseText(text)).analysis, target, owner);
  if (!isRefusal(result)) throw new Error('it was exported');
  return { error: result.error, codes: result.findings.map(({ code }) => code) };
}

const SUFFIX: Readonly<Record<string, string>> = { cmdline: 'txt', modprobe: 'conf', driverctl: 'sh', qemu: 'sh', libvirt: 'xml' };

describe.each([['desktop', 'win11'], ['server', 'guest']])('%s', (name, owner) => {
  it.each(EXPORT_TARGETS.map((target) => target.name))('to %s reads as a person writes it', async (target) => {
    const path = golden(`${name}-${target}.${SUFFIX[target]}`);
    const { annotated } = await exported(fixture(name), target, owner);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, annotated);
    expect(annotated).toBe(readFileSync(path, 'utf8'));
  });
});

describe('what goes round', () => {
  it.each([['desktop', 'win11'], ['server', 'guest']])('%s: the command line is imported again as it is', async (name, owner) => {
    const { text, annotated } = await exported(fixture(name), 'cmdline', owner);
    expect(relevantCommandLine(text)).toBe(text.trim());
    expect(relevantCommandLine(annotated)).toBe(text.trim());
  });

  it('the ids of modprobe.d take no device that is not wanted', async () => {
    const { text } = await exported(fixture('desktop'), 'modprobe');
    const ids = /ids=(\S+)/.exec(text)![1]!;
    const again = fixture('desktop').replace('cmdline "iommu=pt"', `cmdline "iommu=pt vfio-pci.ids=${ids}"`);
    expect(codesOf(await analyseText(again))).not.toContain('driver/ids-match-several');
    expect(codesOf(await analyseText(again.replace(ids, `${ids},8086:1521`)))).toContain('driver/ids-match-several');
  });

  it('the ids name the subsystem where that tells two cards apart', async () => {
    const told = fixture('desktop').replace('function nic at 02:00.0 { id 8086:1521', 'function nic at 02:00.0 { id 8086:1521  subsystem 8086:0001').replace('function nic1 at 03:00.0 { id 8086:1521', 'function nic1 at 03:00.0 { id 8086:1521  subsystem 8086:0002');
    const { text, notes } = await exported(told, 'modprobe');
    expect(text).toContain('ids=10de:2484,10de:228b,8086:1521:8086:0001\n');
    expect(notes).toEqual([]);
  });

  it('driverctl has the bindings of the file, and no others', async () => {
    const { text } = await exported(fixture('desktop'), 'driverctl');
    expect([...text.matchAll(/set-override (\S+) (\S+)/g)].map((match) => `${match[1]} ${match[2]}`)).toEqual(['0000:01:00.0 vfio-pci', '0000:01:00.1 vfio-pci', '0000:02:00.0 vfio-pci']);
    expect(text).not.toContain('new_id');
  });
});

describe('the two ways of QEMU', () => {
  it.each([['iommufd', true], ['type1', false], ['iommufd-container', false]])('%s', async (through, hasObject) => {
    const { text, notes } = await exported(VIABLE.replace('through iommufd', `through ${through}`), 'qemu');
    expect(text.includes('-object iommufd,id=iommufd0')).toBe(hasObject);
    expect(text.includes('host=0000:01:00.0,iommufd=iommufd0')).toBe(hasObject);
    expect(notes.some((note) => note.includes('IOMMUFD_VFIO_CONTAINER'))).toBe(through === 'iommufd-container');
    const xml = (await exported(VIABLE.replace('through iommufd', `through ${through}`), 'libvirt')).text;
    expect(xml.includes("<driver iommufd='yes'/>")).toBe(hasObject);
  });
});

test('what libvirt binds itself is exported without a binding of the file', async () => {
  const text = VIABLE.replaceAll('driver vfio-pci', 'driver nvidia').replace('through iommufd', 'program libvirt  user qemu').replace('assign gpu', 'assign gpu, audio');
  expect((await exported(text, 'libvirt')).text.match(/<hostdev /g)).toHaveLength(2);
  const { text: script, notes } = await exported(text, 'driverctl');
  expect(script).toContain('set-override 0000:01:00.1 vfio-pci');
  expect(notes.join(' ')).toContain('libvirt binds the assigned devices itself');
});

test("managed='no' is written so, and says what must be bound before", async () => {
  const text = VIABLE.replace('through iommufd', 'program libvirt  managed no');
  const xml = await exported(text, 'libvirt');
  expect(xml.text).toContain("<hostdev mode='subsystem' type='pci' managed='no'>");
  expect(xml.notes).toContainEqual("managed='no' binds nothing: bind gpu 0000:01:00.0, audio 0000:01:00.1 beforehand (see the export driverctl).");
  expect((await exported(text, 'driverctl')).notes.join(' ')).not.toContain('libvirt binds');
  const managed = await exported(text.replace('managed no', ''), 'libvirt');
  expect(managed.text).toContain("managed='yes'");
  expect(managed.notes).toContainEqual("managed='yes' binds assigned devices only: bind audio 0000:01:00.1 beforehand (see the export driverctl).");
});

describe('nothing is written of what does not work', () => {
  it.each(EXPORT_TARGETS.map(({ name }) => name))('%s: the finding instead', async (target) => {
    const { error, codes } = await refusal(NOT_VIABLE, target);
    expect(codes).toContain('ownership/group-not-viable');
    expect(error).toContain('win11 does not start in the simulation');
    expect(error).toContain('audio (0000:01:00.1, driver snd_hda_intel)');
  });

  it('of one owner, the other is not in the way', async () => {
    const both = `${VIABLE}vm other on desk { memory 1GiB  memlock 64KiB  assign audio }\n`;
    expect((await exported(both, 'qemu', 'win11')).text).toContain('-name win11');
    expect((await refusal(both, 'qemu', 'other')).error).toContain('other does not start');
  });

  it('a process is no VM, but has drivers and a command line', async () => {
    const process = VIABLE.replace('vm win11', 'process spdk');
    for (const target of ['qemu', 'libvirt']) expect((await refusal(process, target)).error).toContain('spdk is a process');
    for (const target of ['cmdline', 'modprobe', 'driverctl']) expect((await exported(process, target)).text).not.toBe('');
  });

  it.each([['qemu', 'nobody', 'no owner is called "nobody"'], ['grub', 'win11', 'nothing is exported to "grub"']])('%s of %s', async (target, owner, said) => {
    expect((await refusal(VIABLE, target, owner)).error).toContain(said);
  });

  it('without owner there is nothing, and of several one has to be named', async () => {
    expect((await refusal('host h { }', 'qemu')).error).toContain('no vm and no process');
    expect((await refusal(fixture('server'), 'qemu')).error).toContain('which owner?');
  });
});

describe('what cannot be said is said', () => {
  it('a mediated device has no UUID', async () => {
    const text = `host h {\n  kernel 6.12 cmdline "intel_iommu=on"\n  memory 0 size 16GiB\n  iommu u : vtd { interrupt-remapping  coherent  covers rest }\n  integrated gpu at 00:02.0 { class vga }\n  mdev vgpu0 on gpu : software\n}\nvm guest on h { memory 1GiB  through type1  assign vgpu0 }\n`;
    for (const target of ['qemu', 'libvirt']) expect((await exported(text, target)).notes.join(' ')).toContain('vgpu0 is left out');
  });

  it('places and kinds of memory', async () => {
    const { notes } = await exported(VIABLE.replace('memory 4GiB', 'memory low size 1GiB at 0\n  memory shared size 1GiB at 0x1_0000_0000 file'), 'libvirt');
    expect(notes.join(' ')).toContain('The place of memory low in the guest cannot be chosen');
    expect(notes.join(' ')).toContain('Memory shared is file');
    expect(notes.join(' ')).toContain('2 memories');
  });

  it('is in the text as comments, where they do no harm', async () => {
    for (const { name } of EXPORT_TARGETS) {
      const { annotated, text, notes } = await exported(VIABLE, name);
      expect(notes.length).toBeGreaterThan(0);
      const without = annotated.split('\n').filter((line) => !notes.some((note) => line === `# ${note}` || line === comment(note))).join('\n');
      expect(without.trimEnd()).toBe(text.trimEnd());
    }
  });
});

describe('text of anybody\'s', () => {
  const unescaped = (text: string): string => text.replace(/&(amp|lt|gt|apos|quot|#\d+);/g, (_, name: string) => (name.startsWith('#') ? String.fromCharCode(Number(name.slice(1))) : ({ amp: '&', lt: '<', gt: '>', apos: "'", quot: '"' } as Record<string, string>)[name]!));
  const printable = fc.string({ unit: fc.constantFrom(...'a<>&\'"-; \n\t\\$`,é€'), maxLength: 30 });

  it('comes out of XML as it went in, and opens nothing', () => {
    fc.assert(fc.property(printable, (text) => {
      expect(unescaped(attributeValue(text))).toBe(text);
      expect(attributeValue(text)).not.toMatch(/[<'\n]|&(?!(?:amp|lt|gt|apos|#\d+);)/);
      expect(unescaped(textContent(text))).toBe(text);
      expect(textContent(text)).not.toContain('<');
      expect(comment(text).slice(4, -3)).not.toMatch(/--|-$/);
    }));
  });

  it('has no character that XML cannot have', () => expect(attributeValue('a\u0000b\ud800c\u{1f600}')).toBe('a\ufffdb\ufffdc\u{1f600}'));

  it('is one word for the shell', () => {
    fc.assert(fc.property(printable.filter((text) => text !== ''), (text) => {
      const word = shellWord(text);
      const inside = word.startsWith("'") ? word.slice(1, -1).replaceAll("'\\''", '') : word;
      expect(word.startsWith("'") ? inside : '').not.toContain("'");
      expect(word.startsWith("'") || /^[\w@%+=:,./-]+$/.test(word)).toBe(true);
    }));
  });

  it('of a ROM image reaches QEMU and libvirt in quotes', async () => {
    const text = VIABLE.replace('driver vfio-pci }', 'driver vfio-pci  guest-rom "/my roms/<a>,b.rom" }');
    expect((await exported(text, 'qemu')).text).toContain("'vfio-pci,host=0000:01:00.0,iommufd=iommufd0,bus=port1,addr=0.0,romfile=/my roms/<a>,,b.rom'");
    expect((await exported(text, 'libvirt')).text).toContain("<rom file='/my roms/&lt;a&gt;,b.rom'/>");
  });

  it('becomes no line of modprobe.d that runs something', async () => {
    const { text, notes } = await exported(fixture('desktop').replace('"vfio_iommu_type1.dma_entry_limit=1048576"', '"install x /bin/sh", "vfio.a b"'), 'modprobe');
    expect(text.split('\n').filter((line) => line !== '' && !/^(#|options vfio-pci ids=|softdep )/.test(line))).toEqual([]);
    expect(notes.filter((note) => note.includes('is left out: it is not MODULE'))).toHaveLength(2);
  });

  it('elements without content close themselves', () => expect(printElement(element('a', { b: undefined, c: '1' }))).toBe("<a c='1'/>"));
});

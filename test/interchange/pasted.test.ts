/** Dumps and listings as they arrive: through terminals, mails, forums, web pages, and cut short. */
import { describe, expect, it } from 'vitest';
import { ImportError } from '../../server/interchange/import-error.js';
import { importHost, type ImportedHost } from '../../server/interchange/import-host.js';
import { formatAddress } from '../../server/interchange/pci-address.js';
import { readBack } from '../conformance/hosts.js';

const STATUS = '\tControl: I/O- Mem+ BusMaster+\n\tStatus: Cap+ 66MHz- UDF- DEVSEL=fast >TAbort- <TAbort- INTx-\n';

/** A root port with ACS in force, and a card of two functions without. */
const DUMP = `00:00.0 Host bridge [0600]: Intel Corporation Example Host Bridge [8086:1111] (rev 07)
${STATUS}	IOMMU group: 0
	Capabilities: [e0] Vendor Specific Information: Len=0c <?>

00:1d.0 PCI bridge [0604]: Intel Corporation Example Root Port [8086:2222] (rev f0) (prog-if 00 [Normal decode])
${STATUS}	IOMMU group: 1
	Bus: primary=00, secondary=01, subordinate=01, sec-latency=0
	Capabilities: [58] Express (v2) Root Port (Slot+), MSI 00
		DevCap:	MaxPayload 256 bytes, PhantFunc 0
			ExtTag- RBE+
	Capabilities: [140 v1] Access Control Services
		ACSCap:	SrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-
		ACSCtl:	SrcValid+ TransBlk- ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-
	Kernel driver in use: pcieport

01:00.0 VGA compatible controller [0300]: Example Corporation Card [abcd:0001] (rev a1) (prog-if 00 [VGA controller])
${STATUS}	IOMMU group: 2
	Region 0: Memory at fc000000 (32-bit, non-prefetchable) [size=16M]
	Capabilities: [78] Express (v2) Legacy Endpoint, MSI 00
	Kernel driver in use: vfio-pci

01:00.1 Audio device [0403]: Example Corporation Card Audio [abcd:0002] (rev a1)
${STATUS}	IOMMU group: 2
	Capabilities: [78] Express (v2) Endpoint, MSI 00
	Kernel driver in use: vfio-pci

`;

const indexed = ({ host }: ImportedHost) => new Map(host.functions.map((fn) => [formatAddress(fn.address), fn]));
const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
const wrapped = (text: string, width: number): string => text.replace(new RegExp(`^(.{${width - 20},${width}}) (?=\\S)`, 'gm'), '$1\n');

describe('the same dump, however it was pasted', () => {
  const facts = (lspci: string) => importHost({ lspci }).host.functions.map((fn) => ({ ...fn, label: undefined }));
  const expected = facts(DUMP);

  it.each<readonly [string, string]>([
    ['CRLF', DUMP.replace(/\n/g, '\r\n')],
    ['CR', DUMP.replace(/\n/g, '\r')],
    ['a byte order mark', `\ufeff${DUMP}`],
    ['UTF-16 read as UTF-8', `\ufffd\ufffd${[...DUMP].join('\0')}\0`],
    ['spaces for tabs', DUMP.replace(/\t/g, '    ')],
    ['one space for tabs', DUMP.replace(/\t+/g, ' ')],
    ['spaces of a web page', DUMP.replace(/\t/g, '\u00a0\u00a0\u00a0\u00a0')],
    ['no indentation', DUMP.replace(/^[ \t]+/gm, '')],
    ['no indentation, wrapped', wrapped(DUMP.replace(/^[ \t]+/gm, ''), 72)],
    ['wrapped and quoted', wrapped(DUMP, 72).replace(/^/gm, '> ')],
    ['a blank line after every line', DUMP.replace(/\n/g, '\n\n')],
    ['a blank line after every line, no indentation', DUMP.replace(/^[ \t]+/gm, '').replace(/\n/g, '\n\n')],
    ['prompts and sudo', `user@host:~$ sudo lspci -nnvvv\n[sudo] Passwort für user: \npcilib: sysfs_read_vpd: read failed\n${DUMP}user@host:~$ uname -r\n6.8.0\n`],
    ['a root prompt directly below', `[root@host ~]# lspci -nnvvv\n${DUMP.trimEnd()}\n[root@host ~]# exit\n`],
    ['Markdown', `# My machine\n\n\`\`\`text\n${DUMP}\`\`\`\n\nThanks!\n`],
    ['Markdown without a blank line', `\`\`\`\n${DUMP.trimEnd()}\n\`\`\`\n`],
    ['HTML', `<html><body><pre class="x">${escaped(DUMP)}</pre></body></html>`],
    ['HTML with line breaks', escaped(DUMP).replace(/\t/g, '&nbsp;&nbsp;&nbsp;&nbsp;').replace(/\n/g, '<br/>\n')],
    ['forum mark-up', `[code]${DUMP}[/code]`],
    ['terminal colours', DUMP.replace(/^(\d\d:\S+)/gm, '\u001b[1;34m$1\u001b[0m').replace(/Root Port/g, '\u001b[01;31m\u001b[KRoot Port\u001b[m')],
    ['terminal colours of cat -v', DUMP.replace(/Root Port/g, '^[[01;31mRoot Port^[[0m')],
    ['quoted-printable', DUMP.replace(/=/g, '=3D').replace(/\t/g, '=C2=A0=C2=A0=C2=A0=C2=A0').replace(/^(.{60})(.)/gm, '$1=\n$2')],
    ['domains', DUMP.replace(/^(?=\d\d:)/gm, '0000:')],
    ['twice', DUMP + DUMP],
    ['in short first', `${DUMP.split('\n').filter((line) => /^\d/.test(line)).join('\n')}\n\n${DUMP}`],
    ['without the last newline', DUMP.trimEnd()],
  ])('%s', (_, text) => {
    expect(facts(text)).toEqual(expected);
  });
});

describe('what is not in the dump is unknown, never absent', () => {
  const port = (lspci: string) => indexed(importHost({ lspci })).get('0000:00:1d.0')!;
  const card = (lspci: string) => indexed(importHost({ lspci })).get('0000:01:00.1')!;
  const notRoot = DUMP.replace(/^\tCapabilities: .*\n(?:\t\t.*\n|\tCapabilities: .*\n)*/gm, '\tCapabilities: <access denied>\n');

  it.each<readonly [string, string]>([
    ['not root', notRoot],
    ['not root, escaped', escaped(notRoot)],
    ['filtered lines', DUMP.split('\n').filter((line) => /^\d|Status|Bus:/.test(line)).join('\n')],
    ['remarks below titles', DUMP.split('\n').filter((line) => /^\d/.test(line)).join('\n').replace(/$/gm, '\n\tthis one I know')],
    ['lines left out', DUMP.replace(/(?:^\tCapabilities: .*\n(?:\t\t.*\n)*)+/gm, '\t[...]\n')],
  ])('%s', (_, text) => {
    expect([port(text).type, port(text).acs]).toEqual(['unknown', 'unknown']);
    expect([card(text).type, card(text).acs]).toEqual(['unknown', 'unknown']);
  });

  it('in a dump of chosen lines: capabilities that were not chosen may be there', () => {
    const chosen = DUMP.split('\n').filter((line) => /^\d|Access Control|ACSC/.test(line)).join('\n');
    expect([port(chosen).type, card(chosen).type, card(chosen).acs]).toEqual(['unknown', 'unknown', 'unknown']);
    expect(port(chosen).acs).toMatchObject({ capability: 0x1f });
    const extended = DUMP.split('\n').filter((line) => /^\d|Status|Access Control/.test(line)).join('\n');
    expect([port(extended).type, port(extended).acs]).toEqual(['unknown', 'unknown']);
    expect(card(DUMP.replace(/^\t(?:Control|Status|IOMMU|Region|Kernel|Bus).*\n/gm, ''))).toMatchObject({ type: 'endpoint', acs: 'unknown' });
  });

  it('where it ends in the middle of a function, and says which', () => {
    const cut = DUMP.slice(0, DUMP.indexOf('Capabilities: [140'));
    expect(port(`${cut}Capab`)).toMatchObject({ type: 'root-port', acs: 'unknown' });
    expect(importHost({ lspci: `${cut}Capab` }).notes.join(' ')).toContain('0000:00:1d.0 (line 7)');
  });

  it('whether a function has a group, where the dump does not reach it', () => {
    const cut = DUMP.slice(0, DUMP.indexOf('01:00.1')) + '01:00.1 Audio device [0403]: Example Corporation Card Audio [abcd:0002] (rev a1)\n\tControl: I';
    expect(importHost({ lspci: cut }).host.iommus).toMatchObject([{ covers: 'rest' }]);
    expect(importHost({ lspci: cut }).host.iommus[0]!.except).toBeUndefined();
  });

  it('an endpoint whose port is not listed may be below any port', () => {
    const alone = importHost({ lspci: DUMP.slice(DUMP.indexOf('01:00.0')) });
    expect(alone.unplaced).toHaveLength(2);
    expect(alone.notes.join(' ')).toContain('may be below other bridges');
  });

  it('says that a dump holds two machines', () => {
    const other = importHost({ lspci: DUMP + DUMP.replace('abcd:0001', 'abcd:0009') });
    expect(other.notes.join(' ')).toMatch(/more than one machine.*0000:01:00\.0 \(line/);
  });
});

describe('ACS on a host whose IOMMU was off (ACE-01)', () => {
  const off = DUMP.replace(/\tIOMMU group.*\n/g, '').replace(/ACSCtl:.*/, 'ACSCtl:\tSrcValid- TransBlk- ReqRedir- CmpltRedir- UpstreamFwd- EgressCtrl- DirectTrans-');
  const acs = (lspci: string) => indexed(importHost({ lspci })).get('0000:00:1d.0')!.acs;

  it('is what the kernel switches on, not what was read, and that is said', () => {
    expect(acs(off)).toMatchObject({ capability: 0x1f, control: undefined });
    expect(importHost({ lspci: off }).notes.join(' ')).toContain('No function had ACS switched on');
  });

  it('is what was read where the host has groups, or other ports have it on', () => {
    expect(acs(off.replace('\tBus:', '\tIOMMU group: 1\n\tBus:'))).toMatchObject({ control: 0 });
    const other = DUMP.slice(DUMP.indexOf('00:1d.0'), DUMP.indexOf('01:00.0')).replace('00:1d.0', '00:1e.0').replace('secondary=01, subordinate=01', 'secondary=02, subordinate=02').replace(/\tIOMMU group.*\n/g, '');
    expect(acs(off + other)).toMatchObject({ control: 0 });
  });
});

describe('the tree, where bus numbers are not shown', () => {
  const lspci = `00:00.0 Host bridge [0600]: Intel Corporation A [8086:0001]
00:01.0 PCI bridge [0604]: Intel Corporation B [8086:0002]
00:1c.0 PCI bridge [0604]: Intel Corporation C [8086:0003]
00:1c.1 PCI bridge [0604]: Intel Corporation D [8086:0004]
01:00.0 VGA compatible controller [0300]: Example E [abcd:0001]
03:00.0 Ethernet controller [0200]: Example F [abcd:0002]
17:00.0 Host bridge [0600]: Intel Corporation G [8086:0005]
`;

  it('takes buses as numbered in order, and says that it is a guess', () => {
    const imported = importHost({ lspci, name: 'm' });
    const functions = indexed(imported);
    const above = (address: string) => functions.get(address)!.upstream;
    expect([above('0000:01:00.0'), above('0000:03:00.0'), above('0000:17:00.0')]).toEqual([functions.get('0000:00:01.0')!.id, functions.get('0000:00:1c.1')!.id, null]);
    expect(imported.unplaced).toHaveLength(3);
    expect(imported.notes.join(' ')).toContain('numbered in order');
  });

  it('prints what the language reads, also of functions that stand where their type cannot', async () => {
    const express = (type: string) => `${STATUS}	Capabilities: [58] Express (v2) ${type}, MSI 00\n`;
    const odd = `00:1c.0 PCI bridge [0604]: Intel Corporation C [8086:0003]\n${express('Root Port (Slot+)')}	Bus: primary=00, secondary=01, subordinate=05, sec-latency=0
01:00.0 PCI bridge [0604]: Example D [abcd:0001]\n${express('Root Port (Slot+)')}
01:01.0 PCI bridge [0604]: Example D [abcd:0001]\n${express('Downstream Port (Slot+)')}
01:02.0 Ethernet controller [0200]: Example D [abcd:0001]\n${express('Root Complex Integrated Endpoint')}
09:00.0 PCI bridge [0604]: Example D [abcd:0001]\n${express('Upstream Port')}	Bus: primary=09, secondary=0a, subordinate=0b, sec-latency=0
0a:00.0 PCI bridge [0604]: Example D [abcd:0001]\n${express('Downstream Port (Slot+)')}
`;
    expect((await readBack(importHost({ lspci: odd }))).problems).toEqual([]);
  });
});

describe('devices that the kernel knows by their ID, in a dump without IDs', () => {
  const dump = (port: string, nic: string) => `00:00.0 Host bridge: Intel Corporation Example
${STATUS}	Capabilities: [e0] Vendor Specific Information: Len=0c <?>
00:1c.1 PCI bridge: Intel Corporation ${port} (rev d5) (prog-if 00 [Normal decode])
${STATUS}	Bus: primary=00, secondary=02, subordinate=02, sec-latency=0
	Capabilities: [40] Express (v2) Root Port (Slot+), MSI 00
02:00.0 Ethernet controller: Intel Corporation ${nic} (rev 01)
${STATUS}	Capabilities: [a0] Express (v2) Endpoint, MSI 00
02:00.1 Ethernet controller: Intel Corporation ${nic} (rev 01)
${STATUS}	Capabilities: [a0] Express (v2) Endpoint, MSI 00
`;
  const ids = (lspci: string, address: string) => indexed(importHost({ lspci })).get(address)!.ids?.device;

  it.each([
    ['8 Series/C220 Series Chipset Family PCI Express Root Port #4', 0x8c16],
    ['6 Series/C200 Series Chipset Family PCI Express Root Port 8', 0x1c1e],
    ['C610/X99 series chipset PCI Express Root Port #1', 0x8d10],
    ['Sunrise Point-H PCI Express Root Port #9', 0xa118],
    ['100 Series/C230 Series Chipset Family PCI Express Root Port #20', 0xa16a],
    ['200 Series PCH PCI Express Root Port #17', 0xa2e7],
    ['Sunrise Point-LP PCI Express Root Port #11', 0x9d1a],
  ])('reads the ID from the name of a chipset root port: %s (AQK-05, AQK-06)', (name, id) => {
    expect(ids(dump(name, 'Example'), '0000:00:1c.1')).toBe(id);
  });

  it('reads it from a name that only one device has (AQK-02)', () => expect(ids(dump('Example', 'I350 Gigabit Network Connection'), '0000:02:00.0')).toBe(0x1521));

  it('does not claim to know where several have the name (AQK-02)', () => {
    const unclear = importHost({ lspci: dump('Example Root Port', '82576 Gigabit Network Connection') });
    expect(indexed(unclear).get('0000:02:00.1')!.acs).toBe('unknown');
    expect(indexed(unclear).get('0000:00:1c.1')!.acs).toBe('none');
    expect(unclear.notes.join(' ')).toContain('depends on a device ID');
  });

  it('takes the IDs that a group listing has', () => {
    const listing = 'IOMMU Group 7 02:00.0 Ethernet controller [0200]: Intel Corporation 82576 [8086:10c9] (rev 01)\nIOMMU Group 8:\t[8086:10c9] [R] 02:00.1  Ethernet controller   82576\n';
    const imported = indexed(importHost({ lspci: dump('Example', '82576 Gigabit Network Connection'), groups: listing }));
    expect([...imported.values()].slice(2).map((fn) => [fn.ids?.device, fn.acs, fn.recordedGroup])).toEqual([[0x10c9, 'none', 7], [0x10c9, 'none', 8]]);
  });
});

describe('other forms of lspci', () => {
  const shown = (lspci: string) => importHost({ lspci }).host.functions.map((fn) => [formatAddress(fn.address), fn.ids?.vendor, fn.ids?.device, fn.classCode, fn.recordedGroup]);

  it('-mm', () => expect(shown('00:1c.0 "PCI bridge [0604]" "Intel Corporation [8086]" "Example Port [2222]" -rf0 -p00 "" ""\n')).toEqual([['0000:00:1c.0', 0x8086, 0x2222, 0x060400, undefined]]));

  it('-vmm, with its groups', () => {
    expect(shown('$ lspci -nnvmm\nSlot:\t00:01.1\nClass:\tPCI bridge [0604]\nVendor:\tIntel Corporation [8086]\nDevice:\tExample [2222]\nProgIf:\t00\nIOMMUGroup:\t3\n\nSlot:\t01:00.0\nClass:\tVGA compatible controller\nVendor:\tNVIDIA Corporation\nDevice:\tExample\nIOMMUGroup:\t4\n'))
      .toEqual([['0000:00:01.1', 0x8086, 0x2222, 0x060400, 3], ['0000:01:00.0', undefined, undefined, 0x030000, 4]]);
  });

  it('knows the processor by its chipset where the dump has no host bridge', () => {
    expect(importHost({ lspci: DUMP.slice(DUMP.indexOf('00:1d.0')) }).host.kernel.cpuVendor).toBe('intel');
  });
});

describe('a post that holds a group listing', () => {
  it('is a host without capabilities', () => {
    const post = 'My groups:\n\nIOMMU Group 0:\n\t00:00.0 Host bridge [0600]: Intel Corporation A [8086:1111]\nIOMMU Group 1:\n\t00:01.0 PCI bridge [0604]: Intel Corporation B [8086:2222]\n\t01:00.0 VGA compatible controller [0300]: Example C [abcd:0001]\n';
    const { host } = importHost({ lspci: post });
    expect(host.functions.map((fn) => [fn.recordedGroup, fn.type, fn.acs])).toEqual([[0, 'unknown', 'unknown'], [1, 'unknown', 'unknown'], [1, 'unknown', 'unknown']]);
    const oneLine = importHost({ lspci: 'IOMMU Group 0 00:00.0 Host bridge [0600]: Intel Corporation A [8086:1111]\nIOMMU Group 1 01:00.0 VGA compatible controller [0300]: Example C [abcd:0001]\n' });
    expect(oneLine.host.functions.map((fn) => [fn.recordedGroup, fn.ids?.vendor])).toEqual([[0, 0x8086], [1, 0xabcd]]);
  });

  it('and the dump, both are read; prose about a group is not', () => {
    const dump = DUMP.replace(/\tIOMMU group.*\n/g, '');
    const both = importHost({ lspci: `I want group 9.\n\n${dump}\n$ ./groups.sh\nIOMMU Group 4:\n\t01:00.0 VGA\n\t01:00.1 Audio\nIOMMU Group 5:\n\t00:1d.0 PCI bridge\n` });
    expect(both.host.functions.map((fn) => fn.recordedGroup)).toEqual([undefined, 5, 4, 4]);
  });
});

describe('a part of a group listing', () => {
  it('says nothing of the other functions', () => {
    const dump = DUMP.replace(/\tIOMMU group.*\n/g, '');
    const part = importHost({ lspci: dump, groups: 'IOMMU Group 4 01:00.0 VGA\n' });
    expect(part.host.iommus).toMatchObject([{ covers: 'rest' }]);
    expect(part.notes.join(' ')).toContain('only 1 of 4 functions');
  });

  it('says that it shows two states of the machine', () => {
    const { host, notes } = importHost({ lspci: DUMP, groups: 'Group 1: 00:1d.0\nGroup 1: 01:00.0\nGroup 1: 01:00.1\nGroup 0: 00:00.0\nafter:\nGroup 5: 01:00.0\n' });
    expect(host.functions.map((fn) => fn.recordedGroup)).toEqual([0, 1, 1, 1]);
    expect(notes.join(' ')).toMatch(/1 functions into more than one group \(0000:01:00\.0\)/);
  });
});

describe('what cannot be imported', () => {
  it.each<readonly [string, string, RegExp]>([
    ['nothing', '', /nothing in it.*\(lspci, line 1\)/],
    ['blank lines', '\n \t\n', /nothing in it/],
    ['binary data', 'ELF\n\u0002\u0000\u0001 abcdef', /binary data, not text \(lspci, line 2\)/],
    ['lspci -t', '-[0000:00]-+-00.0\n           \\-1f.6\n', /tree of "lspci -t"/],
    ['lspci -tv of two domains', '-+-[10000:e0]-+-06.0-[e1]----00.0  Example\n \\-[0000:00]---00.0  Example\n', /tree of "lspci -t"/],
    ['Windows', 'OK  System  PCI Express Root Port  PCI\\VEN_8086&DEV_A110&SUBSYS_00000000&REV_F1\\3&11583659\r\n', /made by Windows/],
    ['no lspci', 'bash: lspci: command not found\n', /pciutils/],
    ['lsusb', 'Bus 002 Device 001: ID 1d6b:0003 Linux Foundation 3.0 root hub\n', /lsusb/],
    ['FreeBSD', 'hostb0@pci0:0:0:0:\tclass=0x060000\n', /pciconf/],
    ['a kernel log', '[    0.000000] Linux version 6.8.0\n', /--dmesg/],
    ['a listing of links', '/sys/kernel/iommu_groups/3/devices/0000:00:01.0\n', /--groups/],
    ['something else', '\n\nhello\u0007 world\n', /first line is "hello\? world" \(lspci, line 3\)/],
  ])('%s: the message says what and where', (_, text, message) => {
    expect(() => importHost({ lspci: text })).toThrow(ImportError);
    expect(() => importHost({ lspci: text })).toThrow(message);
  });

  it('JSON with a byte order mark is JSON', () => expect(importHost({ lspci: '\ufeff{"devices":[{"bdf":"0000:00:00.0"}]}' }).host.functions).toHaveLength(1));

  it('a log that says nothing is pointed out', () => expect(importHost({ lspci: DUMP, dmesg: 'hello\n' }).notes.join(' ')).toContain('nothing was taken from it'));

  it.each(['[code=', '<span ', '&', '\u001b[', '\u001b]', 'group', 'group ', 'iommu_groups', '> ', '\n', '00:01.0 ', 'AFCap: ', '| '])('a megabyte of %j takes no longer than it is', (junk) => {
    const text = junk.repeat(1_000_000 / junk.length);
    const attempt = (input: Parameters<typeof importHost>[0]): void => {
      try {
        importHost(input);
      } catch (error) {
        expect(error).toBeInstanceOf(ImportError);
      }
    };
    attempt({ lspci: text });
    attempt({ lspci: `${DUMP}\tCapabilities: [a0] PCI Advanced Features\n\t\t${text}\n`, groups: text });
    attempt({ lspci: `group${' '.repeat(1_000_000)}` });
  }, 60_000);
});

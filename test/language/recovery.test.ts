/**
 * One bad line never blinds the rest of the file: every token of an example is deleted and doubled in turn. What stands on other
 * lines must still be described, unless it is inside of the broken statement or speaks of what the line introduces.
 */
import { describe, expect, it } from 'vitest';
import type { Lowered } from '../../language/index.js';
import { Workspace } from './support.js';

const EXAMPLE = `/// doc
host desk {
  kernel 6.12 cmdline "a" { options B  parameters "c=1" }
  cpu amd
  memory 0 .. 0x9_ffff, 4GiB size 30GiB
  iommu ivhd0 : amd-vi { levels 4  page-sizes 4KiB, 2MiB  no-coherent  covers rest }
  root-port slot1 at 00:01.1 {
    acs SV, RR, CR, UF
    function gpu at 01:00.0 {
      id 10de:2484  class vga
      bar 1 at 0xd000_0000 size 256MiB prefetchable
      ats  pasid 20
    }
    function audio at 01:00.1 { driver snd_hda_intel }
  }
  root-port rp2 at 00:02.0 { function nic at 02:00.0 { sriov vfs 2 of 4 offset 128 stride 2 } }
  integrated usb at 00:14.0 { class xhci }
  mdev vgpu0 on gpu : software
  platform uart at 0x900_0000 size 4KiB { streams 0x10 }
  reserved 0x7b80_0000 size 8MiB direct for usb
  bind audio to vfio-pci
}
group passthrough { gpu, audio }
vm win11 on desk {
  memory 16GiB
  assign gpu, audio
}
let base = 0x1000
dma gpu read base size 64 expect ok
never gpu reaches memory of host
domain d on desk : unmanaged { map iova 0x1000 size 4KiB to 0x10_0000 rw  attach gpu }
scenario "s" on desk kernel 5.13 {
  memory ram size 1MiB backing 4KiB
  open-container c
  open-group g of gpu
  set-container g to c expect EINVAL
  map c iova 0 size 4KiB from ram + 0x1000 rw
  dma nic write 0x10 expect peer gpu
  by qemu open-iommufd fd
}
host second {
  function last at 01:00.0
}
`;

/** Things that are described on their own, by the line that they begin in. Numbered ids shift, so questions and steps go by text. */
function contents(lowered: Lowered): Set<string> {
  const { description } = lowered;
  const lines = (id: string): number => lowered.places.get(id)!.range.start.line;
  return new Set([
    ...description.hosts.flatMap((host) => [host, ...host.iommus, ...host.functions, ...host.platformDevices, ...host.mediatedDevices, ...host.reservedRegions]).map((it) => `${lines(it.id)} ${'name' in it ? it.name : 'reserved'}`),
    ...description.owners.flatMap((owner) => [owner, ...owner.memory]).map((it) => `${lines(it.id)} ${it.name}`),
    ...description.domains.map((it) => `${lines(it.id)} ${it.name}`),
    ...description.questions.map((it) => `${lines(it.id)} ${it.kind}`),
    ...description.scenarios.flatMap((it) => [...it.memory.map((memory) => `${lines(memory.id)} ${memory.name}`), ...it.actions.map((action) => `${lines(action.id)} ${action.kind}`)]),
  ]);
}

/** Lines that fall with a line: what speaks of the thing that it introduces, or is inside of its statement. */
const DEPENDENTS: Readonly<Record<string, readonly string[]>> = {
  'host desk {': ['dma', 'never', '  mdev', '  reserved', 'vm', 'domain', '  memory 16', 'scenario', '  open', '  set', '  map', '  dma', '  by', '  memory ram'],
  'function gpu': ['dma', 'never', '  mdev', '  open-group', '  set-container', '  dma nic'],
  'root-port rp2': ['  dma nic'],
  'integrated usb': ['  reserved'],
  'vm win11': ['  memory 16'],
  'let base': ['dma gpu'],
  'scenario "s"': ['  memory ram', '  open', '  set', '  map', '  dma nic', '  by'],
  'memory ram': ['  map'],
  'open-container c': ['  set', '  map'],
  'open-group g': ['  set'],
  'root-port slot1': [],
};

describe('error recovery', () => {
  const workspace = new Workspace();
  const lines = EXAMPLE.split('\n');
  const tokens = workspace.services.iommu.parser.Lexer.tokenize(EXAMPLE).tokens;

  const allowed = (line: string): readonly string[] => Object.entries(DEPENDENTS).find(([start]) => line.trim().startsWith(start))?.[1] ?? [];

  async function lostBy(mutated: string, line: number, before: Set<string>): Promise<string[]> {
    const after = contents(await workspace.lowered(mutated));
    return [...before].filter((entry) => {
      const at = Number(entry.split(' ', 1)[0]);
      return at !== line && !after.has(entry) && !allowed(lines[line]!).some((start) => lines[at]!.startsWith(start));
    });
  }

  it('keeps all that stands elsewhere when a token is missing or doubled', async () => {
    const before = contents(await workspace.lowered(EXAMPLE));
    expect(before.size).toBeGreaterThan(25);
    const failures: string[] = [];
    for (const token of tokens) {
      const [start, end] = [token.startOffset, token.endOffset! + 1];
      const line = EXAMPLE.slice(0, start).split('\n').length - 1;
      for (const mutated of [EXAMPLE.slice(0, start) + EXAMPLE.slice(end), `${EXAMPLE.slice(0, end)} ${EXAMPLE.slice(start)}`]) {
        const lost = await lostBy(mutated, line, before);
        if (lost.length > 0) failures.push(`line ${line + 1}, \`${token.image}\` ${mutated.length < EXAMPLE.length ? 'deleted' : 'doubled'}: lost ${lost.join('; ')}`);
      }
    }
    expect(failures).toEqual([]);
  });

  it('lowers every prefix of the file without throwing', async () => {
    for (let end = 0; end < EXAMPLE.length; end += 7) await expect(workspace.lowered(EXAMPLE.slice(0, end))).resolves.toBeDefined();
  });
});

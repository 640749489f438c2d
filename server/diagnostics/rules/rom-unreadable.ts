import { addressText, type Facts } from '../facts.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { FunctionDescription } from '../../simulator/description.js';

const DISPLAY = 0x03;

/** Why its ROM cannot be read; undefined for devices whose ROM is their own. */
function reasonOf(fn: FunctionDescription): string | undefined {
  if ((fn.classCode ?? 0) >> 16 !== DISPLAY || fn.virtualFunction !== undefined) return undefined;
  if (fn.type === 'integrated-endpoint') return 'is integrated graphics, which has no ROM of its own';
  return fn.bootVga === true ? 'is the boot graphics card: what reads as its ROM is the copy that firmware ran, which is changed or gone' : undefined;
}

const card = (words: string): string => `${sampleHost(onRootPort(`function gpu at 01:00.0 { class vga  boot-vga  driver vfio-pci${words} }`))}vm guest on h { memory 1GiB  through iommufd  assign gpu }
`;

const fixesFor = (facts: Facts, device: string): Found['fixes'] => [
  { title: 'Give the guest a ROM image', preferred: false, edits: [{ kind: 'set-property', subject: device, property: 'guest-rom', text: `guest-rom "${facts.fn(device)?.name ?? 'vbios'}.rom"` }] },
  { title: 'Show the guest no ROM', preferred: false, edits: [{ kind: 'set-property', subject: device, property: 'guest-rom', text: 'guest-rom none' }] },
];

export const romUnreadable: DiagnosticRule = {
  code: 'device/rom-unreadable',
  severity: 'information',
  title: 'The option ROM of the graphics card cannot be read',
  documentation: `A guest's firmware runs the option ROM of its graphics card. Of the card that the host booted with, the host sees a copy that firmware made and ran (\`Expansion ROM … [disabled]\`, "Video device with shadowed ROM"); integrated graphics has no ROM at all, its
code is in the machine's firmware. The kernel logs "vfio-pci 0000:01:00.0: Invalid PCI ROM header signature: expecting 0xaa55, got 0x0000", and QEMU "Device option ROM contents are probably invalid (check dmesg). Skip option ROM probe with rombar=0, or load from file
with romfile=". Mostly the guest then has no picture before its driver runs, or none at all.

**Fix.** An image of the ROM, read while another card was the boot card: \`guest-rom "gpu.rom"\` (QEMU: \`romfile=\`). Where the guest needs none, \`guest-rom none\` (QEMU: \`rombar=0\`). Or let firmware boot with another card.`,
  example: { bad: card(''), good: card('  guest-rom "gpu.rom"') },
  *check(facts): Generator<Found> {
    for (const owner of facts.description.owners) {
      if (owner.kind !== 'vm') continue;
      for (const { id, device } of owner.assigned) {
        const fn = facts.fn(device);
        const reason = fn === undefined ? undefined : reasonOf(fn);
        if (fn === undefined || reason === undefined || fn.guestRom !== undefined) continue;
        yield {
          subject: id,
          message: `${facts.name(device)} ${reason}. The kernel logs "vfio-pci ${addressText(fn.address)}: Invalid PCI ROM header signature: expecting 0xaa55, got 0x0000", QEMU "Device option ROM contents are probably invalid".`,
          related: [{ subject: device, message: fn.bootVga === true ? 'the boot graphics card' : 'integrated graphics' }],
          fixes: fixesFor(facts, device),
        };
      }
    }
  },
};

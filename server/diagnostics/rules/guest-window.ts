import { largeBars, powerOfTwoFrom, USUAL_PCI_WINDOW } from '../guest.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import { sizeText, sizeWord } from '../../simulator/memory/sizes.js';

const example = (words: string): string => `${sampleHost(onRootPort('function gpu at 01:00.0 { class 3d  driver vfio-pci  bar 1 at 0x40_0000_0000 size 128GiB prefetchable }'))}vm guest on h { memory 4GiB  through iommufd${words}  assign gpu }
`;

export const guestWindow: DiagnosticRule = {
  code: 'memory/guest-window-too-small',
  severity: 'warning',
  title: 'The BARs of the devices do not fit into the PCI window of the guest',
  documentation: `A guest's firmware places the BARs of its devices into windows that the VM has: 32-bit BARs below 4 GiB, 64-bit BARs above the memory. The upper window has ${sizeText(USUAL_PCI_WINDOW)} unless told (OVMF, and \`pci-hole64-size\` of QEMU's q35); newer OVMF makes it
larger when the processor shows many address bits. Graphics cards for data centers and cards with a resized BAR (ReBAR) want more: the guest's kernel then says "BAR 1: can't assign; no space" and the driver finds no memory; Cloud Hypervisor stops with "Failed moving device BAR: failed
allocating new MMIO range".

**Fix.** A larger window: for OVMF \`-fw_cfg name=opt/ovmf/X-PciMmio64Mb,string=262144\` (in MiB), for QEMU's q35 \`-global q35-pcihost.pci-hole64-size=256G\`, and enough guest address bits for it (\`-cpu host,host-phys-bits=on\`). Or make the BAR smaller (\`resource1_resize\` in sysfs)
before the VM starts. \`pci-window\` in the file says how large it is.`,
  example: { bad: example(''), good: example('  pci-window 256GiB') },
  *check(facts): Generator<Found> {
    for (const owner of facts.description.owners) {
      if (owner.kind !== 'vm') continue;
      const bars = largeBars(facts, owner);
      const total = bars.reduce((sum, each) => sum + each.size, 0n);
      const window = owner.pciWindow ?? USUAL_PCI_WINDOW;
      if (total <= window) continue;
      const needed = powerOfTwoFrom(total);
      const devices = [...new Set(bars.map((each) => each.device))];
      yield {
        subject: owner.id,
        message: `The 64-bit BARs of ${devices.map((device) => facts.name(device)).join(', ')} take ${sizeText(total)}, and the PCI window of ${owner.name} has ${sizeText(window)}${owner.pciWindow === undefined ? ' unless told' : ''}: the guest says "can't assign; no space", Cloud Hypervisor "Failed moving device BAR: failed allocating new MMIO range".`,
        related: bars.flatMap(({ bar }) => (bar.id === undefined ? [] : [{ subject: bar.id, message: `${sizeText(bar.range.last - bar.range.start + 1n)}` }])),
        fixes: [{ title: `Make the window ${sizeText(needed)}`, preferred: true, edits: [{ kind: 'set-property', subject: owner.id, property: 'pci-window', text: `pci-window ${sizeWord(needed)}` }] }],
      };
    }
  },
};

import { kernelStatementWith } from '../facts.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import { versionNumber } from '../../simulator/kernel/profile.js';

/** Release (major * 1000 + minor) from which vfio-pci takes the firmware's framebuffer off the device itself. */
const EVICTS_FRAMEBUFFER_SINCE = 6000;

/** Words that keep the firmware's framebuffer drivers away. */
const KEEPS_AWAY = /\bvideo=\S*(efifb|vesafb|simplefb):off|\binitcall_blacklist=\S*sysfb_init/;

export const bootFramebuffer: DiagnosticRule = {
  code: 'device/boot-framebuffer',
  severity: 'information',
  title: 'The boot graphics card may be held by the firmware framebuffer',
  documentation: `The kernel shows its boot messages through the framebuffer that the firmware has set up in the memory of the boot graphics card (efifb, vesafb, simplefb). Until Linux 5.19 that driver keeps its range when the card goes to vfio-pci, and the VM
fails with "vfio-pci 0000:05:00.0: BAR 0: can't reserve [mem 0xd0000000-0xdfffffff 64bit pref]". From 6.0 vfio-pci takes the framebuffer off the device.

The boot card also has no option ROM of its own to read: the guest may need a ROM file (QEMU: \`romfile=\`).

**Fix.** \`video=efifb:off\` on the command line (kernels with CONFIG_SYSFB_SIMPLEFB: \`initcall_blacklist=sysfb_init\`), another boot card in the firmware's set-up, or a newer kernel.`,
  example: {
    bad: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  boot-vga  driver vfio-pci }'), { kernel: '5.19 cmdline "intel_iommu=on"', iommu: 'interrupt-remapping  coherent  covers rest' })}vm guest on h { memory 1GiB  through type1  assign gpu }
`,
    good: `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  boot-vga  driver vfio-pci }'), { kernel: '5.19 cmdline "intel_iommu=on video=efifb:off"', iommu: 'interrupt-remapping  coherent  covers rest' })}vm guest on h { memory 1GiB  through type1  assign gpu }
`,
  },
  *check(facts): Generator<Found> {
    for (const owner of facts.description.owners) {
      const host = facts.host(owner.host);
      if (host === undefined || (versionNumber(host.kernel.version) ?? Infinity) >= EVICTS_FRAMEBUFFER_SINCE || KEEPS_AWAY.test(host.kernel.commandLine)) continue;
      for (const { id, device } of owner.assigned) {
        if (facts.fn(device)?.bootVga !== true) continue;
        yield {
          subject: id,
          message: `${facts.name(device)} is the boot graphics card: the firmware's framebuffer may hold its memory, and ${owner.name} then fails with "BAR 0: can't reserve".`,
          related: [{ subject: device, message: 'the boot graphics card' }],
          fixes: [{ title: 'Keep the framebuffer driver away: video=efifb:off', preferred: true, edits: [{ kind: 'set-property', subject: host.id, property: 'kernel', text: kernelStatementWith(host.kernel, 'video=efifb:off') }] }],
        };
      }
    }
  },
};

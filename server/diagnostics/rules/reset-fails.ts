import { deadAfterReset } from '../reset.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import { addressText } from '../facts.js';

/** What vendor-reset makes of `reset_method`. */
const VENDOR_METHOD = 'device_specific';

const card = (words: string): string => `${sampleHost(onRootPort(`function gpu at 01:00.0 { id 1002:67df  class vga  driver vfio-pci  ${words} }`))}vm guest on h { memory 1GiB  through iommufd  assign gpu }
`;

export const resetFails: DiagnosticRule = {
  code: 'device/reset-fails',
  severity: 'warning',
  title: 'The device is known not to come back from a reset',
  documentation: `A device is reset when a VM gets it, when the VM reboots, and when it stops. AMD graphics of the families Polaris, Vega and Navi 10 to 14 work once: after the guest has used them, a reset leaves them dead until the host is powered off. The log says
"vfio-pci 0000:01:00.0: not ready 65535ms after FLR; giving up" (or "after bus reset"), and libvirt refuses the second start with "Unknown PCI header type '127'": configuration space reads as ones.

**Fix.** The out-of-tree module \`vendor-reset\` knows the sequences that these cards need; with it, \`echo device_specific > /sys/bus/pci/devices/…/reset_method\`, which \`reset-method device_specific\` says in the file. Else suspend or power-cycle the host between two starts,
or take a newer card.`,
  example: { bad: card('flr no'), good: card('flr no  reset-method device_specific') },
  *check(facts): Generator<Found> {
    for (const owner of facts.description.owners) {
      for (const { id, device } of owner.assigned) {
        const fn = facts.fn(device);
        const family = fn === undefined ? undefined : deadAfterReset(fn);
        if (fn === undefined || family === undefined || fn.resetMethods?.includes(VENDOR_METHOD) === true) continue;
        const after = fn.functionLevelReset === true ? 'FLR' : 'bus reset';
        yield {
          subject: id,
          message: `${facts.name(device)} is a ${family} card: it does not come back from a reset. From the second start of ${owner.name} on the log says "vfio-pci ${addressText(fn.address)}: not ready 65535ms after ${after}; giving up", and libvirt refuses it with "Unknown PCI header type '127'", until the host is powered off.`,
          related: [{ subject: device, message: 'has no reset that works' }],
          fixes: [{ title: 'Say that the module vendor-reset resets it', preferred: false, edits: [{ kind: 'set-property', subject: device, property: 'reset-method', text: `reset-method ${VENDOR_METHOD}` }] }],
        };
      }
    }
  },
};

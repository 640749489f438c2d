import { type Facts } from '../facts.js';
import { largeBars, memoryEnd, USUAL_PCI_WINDOW } from '../guest.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { HostDescription, OwnerDescription } from '../../simulator/description.js';
import { hex } from '../../simulator/memory/address.js';
import { sizeText } from '../../simulator/memory/sizes.js';

const DEFAULT_WIDTH = 48;
/** Guest kernels and OVMF put the window of 64-bit BARs into the upper eighth of the address space. */
const WINDOW_AT = 7n;
const WINDOW_PARTS = 8n;

const unitWidth = (host: HostDescription): number => Math.min(...host.iommus.map((unit) => unit.addressWidth ?? DEFAULT_WIDTH));

const setWidth = (owner: OwnerDescription, width: number): Found['fixes'] =>
  [{ title: `Show the guest ${width} address bits`, preferred: true, edits: [{ kind: 'set-property', subject: owner.id, property: 'address-width', text: `address-width ${width}` }] }];

/** The guest may place BARs where the IOMMU translates nothing. */
function beyondTheUnit(facts: Facts, owner: OwnerDescription, host: HostDescription, width: number): Found | null {
  const units = unitWidth(host);
  const [bar] = largeBars(facts, owner);
  if (host.iommus.length === 0 || width <= units || bar === undefined) return null;
  const at = ((1n << BigInt(width)) / WINDOW_PARTS) * WINDOW_AT;
  return {
    subject: owner.id,
    message: `${owner.name} shows its guest ${width} address bits, and the IOMMU of ${host.name} translates ${units}: a BAR of ${facts.name(bar.device)} that the guest puts at ${hex(at)} cannot be mapped for other devices. QEMU says "vfio_container_dma_map(…) = -22 (Invalid argument)", older versions also "VFIO_MAP_DMA failed: Invalid argument", older kernels log "iommu width (${units}) is not sufficient for the mapped address (${at.toString(16)})".`,
    related: host.iommus.map((unit) => ({ subject: unit.id, message: `translates ${unit.addressWidth ?? DEFAULT_WIDTH} bits` })),
    fixes: setWidth(owner, units),
  };
}

/** Memory and window must lie below the last address that the guest's processor has. */
function beyondTheProcessor(facts: Facts, owner: OwnerDescription, host: HostDescription, width: number): Found | null {
  const end = memoryEnd(owner, host);
  const window = largeBars(facts, owner).length === 0 ? 0n : owner.pciWindow ?? USUAL_PCI_WINDOW;
  if (end + window <= 1n << BigInt(width)) return null;
  let enough = width;
  while (1n << BigInt(enough) < end + window) enough++;
  return {
    subject: owner.id,
    message: `${owner.name} shows its guest ${width} address bits, which reach to ${sizeText(1n << BigInt(width))}: its memory ends at ${sizeText(end)}${window === 0n ? '' : ` and the PCI window above it takes ${sizeText(window)}`}. QEMU says "Address space limit … phys-bits too low (${width})", the guest "can't assign; no space".`,
    related: [],
    fixes: setWidth(owner, enough),
  };
}

const example = (width: number): string => `${sampleHost(onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci  bar 1 at 0xd000_0000 size 256MiB prefetchable }'), { iommu: 'interrupt-remapping  coherent  address-width 39  covers rest' })}vm guest on h { memory 8GiB  through type1  address-width ${width}  assign gpu }
`;

export const guestAddressWidth: DiagnosticRule = {
  code: 'memory/guest-address-width',
  severity: 'warning',
  title: 'The guest address width does not suit memory, devices or IOMMU',
  documentation: `A guest places 64-bit BARs by the address width that its processor shows, mostly near the top: with 46 bits at 0x380000000000. QEMU maps the BARs of one device for the others (peer-to-peer), at guest physical addresses. When the IOMMU of the host translates fewer bits,
that fails: "vfio_container_dma_map(…) = -22 (Invalid argument)"; kernels before 5.4 logged "intel_iommu_map: iommu width (39) is not sufficient for the mapped address". Mobile and many desktop processors of Intel have 39 bits.

Too few bits are no good either: memory and the window for large BARs have to fit below the last address, or QEMU refuses ("Address space limit … phys-bits too low") and the guest has no room for BARs.

**Fix.** \`address-width\`, for QEMU \`-cpu host,guest-phys-bits=39\` or \`host-phys-bits-limit=39\`, for libvirt \`<maxphysaddr mode='passthrough' limit='39'/>\`.`,
  example: { bad: example(46), good: example(39) },
  *check(facts): Generator<Found> {
    for (const owner of facts.description.owners) {
      const host = facts.host(owner.host);
      if (owner.kind !== 'vm' || owner.addressWidth === undefined || host === undefined) continue;
      const found = beyondTheProcessor(facts, owner, host, owner.addressWidth) ?? beyondTheUnit(facts, owner, host, owner.addressWidth);
      if (found !== null) yield found;
    }
  },
};

import type { Facts } from '../facts.js';
import { onRootPort, sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { DmaReport, ReservedRegionReport } from '../../simulator/report.js';

/** The range of firmware's that a refused request wanted. */
function wantedRange(facts: Facts, dma: DmaReport): ReservedRegionReport | undefined {
  const address = facts.dmaAddress(dma.id);
  if (address === undefined) return undefined;
  return facts.group(dma.device)?.reserved.find(({ type, range }) => (type === 'direct' || type === 'direct-relaxable') && range.start <= address && address <= range.last);
}

const NIC = `${onRootPort('function gpu at 01:00.0 { class vga  driver vfio-pci }')}\nreserved 0x9c00_0000 size 64MiB direct for gpu`;
const IOMMU = { iommu: 'interrupt-remapping  coherent  covers rest' };

export const firmwareRangeUnmapped: DiagnosticRule = {
  code: 'reserved/firmware-range-unmapped',
  severity: 'warning',
  title: 'The device reaches for a range of firmware that is not mapped any more',
  documentation: `Firmware told the kernel (RMRR, IVMD, RMR) that the device uses this range: stolen graphics memory, a management controller's mailbox. While the kernel has the device the range is mapped 1:1. For a user it is not: regions of USB controllers and
graphics are \`direct-relaxable\`, so the device is handed out, and what it still does there faults: "DMAR: [DMA Read] Request device [00:02.0] fault addr 9c000000 [fault reason 06] PTE Read access is not set", or AMD's IO_PAGE_FAULT.

**Fix.** Mostly harmless while the device starts or stops. Where it is not: map the range into the guest at the same address (QEMU does it for Intel graphics with an OpRegion), or leave the device to the host.`,
  example: {
    bad: `${sampleHost(NIC, IOMMU)}vm guest on h { memory 1GiB  through iommufd  assign gpu }
dma gpu read 0x9c00_0000 size 64
`,
    good: `${sampleHost(NIC, IOMMU)}dma gpu read 0x9c00_0000 size 64
`,
  },
  *check(facts): Generator<Found> {
    for (const run of facts.report.runs) {
      for (const action of run.actions) {
        if (action.kind !== 'dma' || action.outcome !== 'fault' || action.expectation !== undefined) continue;
        const region = wantedRange(facts, action);
        if (region === undefined) continue;
        yield {
          subject: action.id,
          message: `${facts.name(action.device)} reaches for memory that firmware reserved for it (${region.line}), which is not mapped in the domain that it is attached to now.`,
          related: region.subject === undefined ? [] : [{ subject: region.subject, message: 'the range that firmware wants mapped' }],
          fixes: [],
        };
      }
    }
  },
};

/**
 * DMA of a mediated device: it has no requester ID and no translation of its own. Its driver pins the page that the guest
 * named through VFIO, and lets the parent device (or the CPU) do the transfer (SBS-02, MDV-20).
 * "Not using the IOMMU" does not mean no DMA: it means that nobody calls iommu_map (MDV-01, ARG-06).
 */
import type { DmaDescription } from '../description.js';
import { Refusal } from '../errno.js';
import type { Device } from '../kernel/core.js';
import { hex, PAGE_SIZE, physical } from '../memory/address.js';
import type { TraceSink } from '../trace/events.js';
import type { DmaOutcome } from './dma.js';
import type { Machine } from './machine.js';

export function mediatedDma(machine: Machine, device: Device, dma: DmaDescription, address: bigint, trace: TraceSink | null): DmaOutcome {
  const permission = { read: dma.access !== 'write', write: dma.access !== 'read' };
  const page = address & ~(PAGE_SIZE - 1n);
  try {
    const [pinned] = machine.vfio.pinPages(device, page, PAGE_SIZE, permission);
    machine.vfio.unpinPages(device, page, PAGE_SIZE);
    if (pinned === undefined) throw new Refusal('EFAULT', 'VFT-71', `nothing is mapped at IOVA ${hex(page)}`);
    const target = physical(pinned + (address - page));
    trace?.push({ kind: 'note', floor: 'kernel', subject: device.subject, text: `The driver of ${device.name} pins the page behind ${hex(page)} through VFIO and finds ${hex(pinned)}; no IOMMU domain is involved`, verdict: 'continue', rules: ['SBS-02', 'VFT-71'] });
    trace?.push({ kind: 'hop', floor: 'memory', at: 'memory', text: `Its parent or the CPU transfers the data at ${hex(target)} on its behalf`, verdict: 'done', rules: ['SBS-02'], address: target });
    return { outcome: 'memory', address: target, bypassedIommu: false };
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    trace?.push({ kind: 'note', floor: 'kernel', subject: device.subject, text: `The driver of ${device.name} cannot pin the page behind ${hex(page)}: ${refusal.errno}, ${refusal.reason}`, verdict: 'blocked', rules: [refusal.rule] });
    return { outcome: 'blocked', bypassedIommu: false };
  }
}

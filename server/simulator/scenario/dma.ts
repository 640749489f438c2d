/**
 * One DMA from the device to where it ends: the endpoint itself, the fabric up to the IOMMU (GEN-02), the unit's walk of the
 * tables in memory, and what the root complex finds at the address that comes out.
 */
import type { DmaDescription, SubjectId } from '../description.js';
import { streamIdOf } from '../fabric/id-maps.js';
import { requesterIdText } from '../fabric/pci-address.js';
import { decodeAddress, routeRequest, type PeerTarget, type Route } from '../fabric/routing.js';
import type { IommuUnit, UnitAnswer, UnitFault, UnitRequest } from '../hardware/architecture.js';
import type { Device } from '../kernel/core.js';
import { hex, iova, physical, type PhysicalAddress } from '../memory/address.js';
import { sizeText } from '../memory/sizes.js';
import type { DmaReport } from '../report.js';
import type { TraceSink } from '../trace/events.js';
import { judgeDma } from './expectations.js';
import { MAX_DMA_SIZE, RunStopped } from './limits.js';
import type { Machine } from './machine.js';
import { mediatedDma } from './mediated-dma.js';
import { BoundedTrace } from './bounded-trace.js';
import { permits, requestPage } from './page-requests.js';

/** Where a DMA, or one request of it, ended. */
export type DmaOutcome = Pick<DmaReport, 'outcome' | 'address' | 'peer' | 'bypassedIommu' | 'fault' | 'stale'>;

/** No request crosses such a boundary (GEN-01). */
const BOUNDARY = 4096n;

/** The DMA with its trace, judged; fault lines go to the kernel log. */
export function tracedDma(machine: Machine, dma: DmaDescription): DmaReport {
  const trace = new BoundedTrace();
  const outcome = runDma(machine, dma, trace);
  machine.kernel.log.push(...(outcome.fault?.messages ?? []));
  const report = { kind: 'dma' as const, id: dma.id, text: dma.text, device: dma.device, ...outcome, trace: trace.events };
  return { ...report, expectation: judgeDma(dma.expect, report, (subject) => machine.nameOf(subject)) };
}

/** All requests of the DMA in order, up to the first that does not arrive. @throws RunStopped for an absurd size */
export function runDma(machine: Machine, dma: DmaDescription, trace: BoundedTrace | null): DmaOutcome {
  if (dma.size > MAX_DMA_SIZE) throw new RunStopped(`a DMA of ${sizeText(dma.size)} is more than can be simulated (${sizeText(MAX_DMA_SIZE)})`);
  const device = machine.kernel.device(dma.device);
  if (device === undefined) return nowhere(trace, undefined, `${machine.nameOf(dma.device)} is not a device of this host`);
  if (!device.busMaster) return nowhere(trace, device.subject, `bus mastering of ${device.name} is off: it sends nothing, and nobody hears of it`);
  if (dma.pasid !== undefined) {
    if (device.kind === 'pci' && !device.pasidEnabled) return nowhere(trace, device.subject, `PASID of ${device.name} is off, so it sends no request with one`, ['PAS-14']);
    machine.services.sharing.follow();
  }
  let first: DmaOutcome | null = null;
  for (let at = dma.address, left = dma.size; left > 0n; ) {
    const size = at % BOUNDARY + left > BOUNDARY ? BOUNDARY - (at % BOUNDARY) : left;
    const outcome = new Request(machine, dma, device, at, Number(size), trace).run();
    first ??= outcome;
    if (outcome.outcome !== first.outcome || outcome.outcome === 'fault' || outcome.outcome === 'blocked' || outcome.outcome === 'not-modelled') return outcome;
    at = BigInt.asUintN(64, at + size);
    left -= size;
  }
  return first ?? nowhere(trace, device.subject, 'a DMA of no bytes');
}

function nowhere(trace: TraceSink | null, subject: SubjectId | undefined, text: string, rules: readonly string[] = []): DmaOutcome {
  trace?.push({ kind: 'hop', floor: 'fabric', at: 'nowhere', subject, text, verdict: 'blocked', rules });
  return { outcome: 'dropped', bypassedIommu: false };
}

/** One request, which does not cross a 4 KiB boundary. */
class Request {
  constructor(
    private readonly machine: Machine,
    private readonly dma: DmaDescription,
    private readonly device: Device,
    private readonly address: bigint,
    private readonly size: number,
    private readonly trace: BoundedTrace | null,
  ) {}

  run(): DmaOutcome {
    const { device, dma, address, trace, machine } = this;
    if (device.kind === 'mdev') return device.description.kind.startsWith('parent-') ? this.borrowed(device.parent) : mediatedDma(machine, device, dma, address, trace);
    if (device.kind === 'platform') return this.atUnit(device.unit, device.requesterIds[0] ?? 0);
    const route = routeRequest(machine.fabric, { source: device.description, address, access: dma.access, addressType: dma.addressType }, trace);
    return this.follow(route);
  }

  /** K5, K6 of MDV-20: the parent sends the request, with the PASID of the auxiliary domain where there is one (FEA-05). */
  private borrowed(parent: Device): DmaOutcome {
    const { machine, dma, device, address, size, trace } = this;
    const pasid = machine.vfio.borrowedPasid(device) ?? undefined;
    this.hop('device', `${device.name} has no requester ID: its parent ${parent.name} sends the request${pasid === undefined ? ', as if it were its own' : ` with PASID ${pasid}`}`, 'continue', parent.subject, ['MDV-20', 'FEA-05']);
    return new Request(machine, { ...dma, pasid }, parent, address, size, trace).run();
  }

  private follow(route: Route): DmaOutcome {
    switch (route.at) {
      case 'unit': return this.fromFabric(this.device.unit, route.requesterId);
      case 'root-complex': return this.untranslated();
      case 'peer': return { outcome: 'peer', address: this.peerAddress(route), peer: route.function.id, bypassedIommu: true };
      case 'blocked': case 'unsupported-request': return { outcome: 'blocked', bypassedIommu: false };
    }
  }

  /** GRD-20: the unit may see a stream ID in the place of the requester ID. */
  private fromFabric(unit: IommuUnit | null, requesterId: number): DmaOutcome {
    if (unit === null) return this.untranslated();
    const id = streamIdOf(unit.description, requesterId);
    if (id !== null) return this.atUnit(unit, id);
    this.hop('nowhere', `firmware's map of ${unit.description.name} has no stream ID for requester ID ${requesterIdText(requesterId)}`, 'blocked', unit.description.id, ['GRD-20']);
    return { outcome: 'blocked', bypassedIommu: false };
  }

  private atUnit(unit: IommuUnit | null, requesterId: number): DmaOutcome {
    if (unit === null) return this.untranslated();
    const { dma, address, size } = this;
    const request: UnitRequest = { requesterId, access: dma.access, addressType: dma.addressType, address, size, pasid: dma.pasid, privileged: dma.privileged, execute: dma.execute };
    this.hop('unit', `${unit.description.name} gets the request`, 'continue', unit.description.id);
    if (unit.notModelled !== undefined) return this.unknowable(unit.notModelled);
    const answer = unit.translate(request, this.trace);
    switch (answer.kind) {
      case 'address': return dma.addressType === 'translation-request' ? this.translationCompletion(unit, request, answer) : this.translated(answer);
      case 'interrupt': return this.interrupt(unit.description.id, answer.remapped, answer.vector);
      case 'fault': return this.faulted(unit, answer, request);
      case 'blocked':
        this.hop('nowhere', answer.reason, 'blocked', unit.description.id);
        return { outcome: 'blocked', bypassedIommu: false };
    }
  }

  /** The kernel's side of such a unit is modelled, its hardware is not: no outcome is made up. */
  private unknowable(why: string): DmaOutcome {
    this.hop('nowhere', `${why}: where this request ends is not said`, 'blocked');
    return { outcome: 'not-modelled', bypassedIommu: false };
  }

  private translated(answer: Extract<UnitAnswer, { kind: 'address' }>): DmaOutcome {
    const outcome = this.decode(answer.address, false);
    if (answer.stale !== true) return outcome;
    this.trace?.push({
      kind: 'note', floor: 'memory', verdict: 'note', rules: ['VTD-70'],
      text: `The mapping is gone: whoever unmapped it may have given the memory at ${hex(answer.address)} to somebody else, and the device still ${this.dma.access === 'read' ? 'reads' : 'changes'} it.`,
    });
    return { ...outcome, stale: { start: iova(this.address & ~(answer.pageSize - 1n)), last: iova(this.address | (answer.pageSize - 1n)) } };
  }

  /** PCIE-16: the device learns where the page is; memory is not touched. Without a translation it asks for the page, once (IOPF-01). */
  private translationCompletion(unit: IommuUnit, request: UnitRequest, first: Extract<UnitAnswer, { kind: 'address' }>): DmaOutcome {
    const { machine, device, trace, dma } = this;
    let answer: UnitAnswer = first;
    if (!permits(first, dma.access) && requestPage(machine.services.pageRequests, device, request, trace)) answer = unit.translate(request, trace);
    if (answer.kind !== 'address' || !permits(answer, dma.access)) return { outcome: 'blocked', bypassedIommu: false };
    const { address } = answer;
    this.hop('device', `${this.device.name} gets the translation ${hex(address)} for its address translation cache`, 'done', this.device.subject, ['PCIE-16']);
    return { outcome: 'memory', address, bypassedIommu: false };
  }

  private faulted(unit: IommuUnit, fault: UnitFault, request: UnitRequest): DmaOutcome {
    const messages = fault.recorded ? unit.faultMessages(fault, request, this.deviceBehind(unit, request.requesterId)) : [];
    this.trace?.completeFault(messages);
    return { outcome: 'fault', bypassedIommu: false, fault: { code: fault.code, ...(fault.decimal && { decimal: fault.decimal }), name: fault.name, messages } };
  }

  /** The device that the kernel finds under the ID that a unit reports: for an alias another one than the sender, or none. */
  private deviceBehind(unit: IommuUnit, requesterId: number): Device | null {
    const { booted, kernel } = this.machine;
    const sender = this.device;
    if (unit.description.idMaps !== undefined || sender.kind === 'platform') return sender.requesterIds.includes(requesterId) ? sender : null;
    const fn = booted.topology.byAddress({ segment: unit.description.segment, bus: requesterId >> 8, device: (requesterId >> 3) & 0x1f, function: requesterId & 7 });
    return (fn && kernel.device(fn.id)) ?? null;
  }

  /** No IOMMU: the address is physical, and the interrupt window is where the CPU has it (PCIE-50, PCIE-51). */
  private untranslated(): DmaOutcome {
    const isMessage = this.dma.access === 'write' && this.address >= INTERRUPT_WINDOW.start && this.address <= INTERRUPT_WINDOW.last;
    if (isMessage && this.machine.host.kernel.cpuVendor !== 'arm') return this.interrupt(undefined, false, undefined);
    return this.decode(physical(this.address), false);
  }

  private interrupt(subject: SubjectId | undefined, remapped: boolean, vector: number | undefined): DmaOutcome {
    const what = vector === undefined ? 'an interrupt message' : `interrupt vector ${hex(vector)}`;
    this.hop('interrupt', `The write is ${what}${remapped ? ', remapped' : ', as the device wrote it'}`, 'done', subject, ['PCIE-50']);
    return { outcome: 'interrupt', address: physical(this.address), bypassedIommu: false };
  }

  /** PCIE-25. */
  private decode(address: PhysicalAddress, bypassedIommu: boolean): DmaOutcome {
    const target = decodeAddress(this.machine.fabric, this.machine.hostMemory.ranges, address);
    switch (target.at) {
      case 'memory':
        this.hop('memory', `It arrives in memory at ${hex(address)}`, 'done', undefined, ['PCIE-25'], address);
        return { outcome: 'memory', address, bypassedIommu };
      case 'peer':
        this.hop('peer', `${target.function.name} decodes ${hex(address)} in BAR ${target.bar.index}`, 'done', target.function.id, ['PCIE-25'], address);
        return { outcome: 'peer', address, peer: target.function.id, bypassedIommu };
      case 'nowhere':
        this.hop('nowhere', target.reason, 'blocked', undefined, target.rules, address);
        return { outcome: 'dropped', address, bypassedIommu };
    }
  }

  private peerAddress(peer: PeerTarget): PhysicalAddress {
    return physical(peer.bar.range.start + peer.offset);
  }

  private hop(at: 'device' | 'unit' | 'memory' | 'peer' | 'interrupt' | 'nowhere', text: string, verdict: 'continue' | 'done' | 'blocked', subject?: SubjectId, rules: readonly string[] = [], address = this.address): void {
    this.trace?.push({ kind: 'hop', floor: at === 'unit' ? 'hardware' : at === 'memory' ? 'memory' : 'fabric', at, text, verdict, subject, rules, address });
  }
}

/** Where x86 CPUs take interrupt messages. */
const INTERRUPT_WINDOW = { start: 0xfee0_0000n, last: 0xfeef_ffffn } as const;

/**
 * `never DEVICE reaches …`: proved from the state of the machine, or refuted with a DMA that does it.
 *
 * A request reaches a target through a mapping whose physical range meets it, by its own address where nothing translates,
 * or past the IOMMU where a port routes it to a peer. All such addresses are tried by a real DMA of the simulation, so a
 * refutation is never only a guess. Not tried: requests that a device marks as translated (ATS), which an IOMMU trusts.
 */
import type { DmaDescription, NeverDescription } from '../description.js';
import type { Domain } from '../kernel/core.js';
import { joinRanges, subtractRanges } from '../kernel/ranges.js';
import { hex, type AddressRange } from '../memory/address.js';
import { IntervalMap } from '../memory/interval-map.js';
import type { DmaReport, NeverReport } from '../report.js';
import type { DmaOutcome } from './dma.js';
import { runDma, tracedDma } from './dma.js';
import type { Machine } from './machine.js';

/** DMAs that one question may try. */
const MAX_TRIES = 10_000;

type Target = IntervalMap<true>;

export function askNever(machine: Machine, question: NeverDescription): NeverReport {
  const iotlb = machine.kernel.device(question.device)?.unit?.cache;
  if (iotlb == null) return decide(machine, question);
  // A question is no DMA: what it tries leaves nothing behind.
  iotlb.filling = false;
  try {
    return decide(machine, question);
  } finally {
    iotlb.filling = true;
  }
}

function decide(machine: Machine, question: NeverDescription): NeverReport {
  const { id, text } = question;
  const target = targetRanges(machine, question);
  const device = machine.kernel.device(question.device);
  const answer = (holds: boolean, why: string, counterExample?: DmaReport): NeverReport => ({ kind: 'never', id, text, holds, why, counterExample });
  if (device === undefined) return answer(true, 'The device does not exist on this host.');
  if (device.unit !== null && machine.rawUnits.has(device.unit)) return answer(false, `Not decided: registers of ${device.unit.description.name} are written by hand, so that what its tables map is not known beforehand; a \`dma\` tells where it ends.`);
  let tries = 0;
  for (const { address, access } of candidates(machine, device.unit === null ? null : device.group?.domain ?? null, target)) {
    if (++tries > MAX_TRIES) return answer(false, `Not decided: more than ${MAX_TRIES} addresses would have to be tried.`);
    const dma = probe(question, address, access);
    const outcome = runDma(machine, dma, null);
    if (outcome.outcome === 'not-modelled') return answer(false, `Not decided: ${device.unit?.notModelled ?? 'its IOMMU is not modelled'}.`);
    if (!arrivesIn(target, outcome)) continue;
    const report = tracedDma(machine, dma);
    return answer(false, `A ${access} at ${hex(address)} arrives at ${hex(report.address!)}${report.bypassedIommu ? ' without meeting an IOMMU' : ''}.`, report);
  }
  return answer(true, tries === 0 ? 'Nothing that the device can address leads there.' : `All ${tries} addresses that could lead there end elsewhere.`);
}

const probe = (question: NeverDescription, address: bigint, access: 'read' | 'write'): DmaDescription => ({
  kind: 'dma', id: `${question.id}#dma`, text: `dma ${access} ${hex(address)}`, host: question.host, device: question.device,
  access, address, size: 1n, addressType: 'untranslated', privileged: false, execute: false,
});

const arrivesIn = (target: Target, report: DmaOutcome): boolean =>
  (report.outcome === 'memory' || report.outcome === 'peer') && report.address !== undefined && target.at(report.address) !== undefined;

// ------------------------------------------------------------------------------------------------ where it must not come

function targetRanges(machine: Machine, { target }: NeverDescription): Target {
  const ranges = new IntervalMap<true>();
  for (const range of joinRanges(rangesOf(machine, target))) ranges.insert(range, true);
  return ranges;
}

function rangesOf(machine: Machine, target: NeverDescription['target']): AddressRange[] {
  switch (target.kind) {
    case 'device': return machine.barsOf(target.device);
    case 'owner-memory': return machine.memoryOfOwner(target.owner);
    case 'host-memory': {
      const owned = joinRanges(machine.memoryOfAllOwners());
      return machine.hostMemory.ranges.flatMap((ram) => subtractRanges(ram, owned));
    }
  }
}

// ------------------------------------------------------------------------------------------------ how it could come there

interface Candidate {
  readonly address: bigint;
  readonly access: 'read' | 'write';
}

/** Addresses of which at least one arrives if any does: one between every two places where routing can change. */
function* candidates(machine: Machine, domain: Domain | null, target: Target): Generator<Candidate> {
  const edges = machine.windowEdges();
  for (const range of target.entries()) yield* pointsIn(range, edges, 'write');
  if (domain === null || domain.type === 'identity' || domain.type === 'blocked') return;
  for (const run of domain.mappings(Number.MAX_SAFE_INTEGER).runs) {
    const offset = run.iova.start - run.physical;
    const physical = { start: run.physical as bigint, last: run.iova.last - offset };
    for (const hit of target.overlapping(physical)) {
      const start = (hit.start > physical.start ? hit.start : physical.start) + offset;
      const last = (hit.last < physical.last ? hit.last : physical.last) + offset;
      yield* pointsIn({ start, last }, edges, run.permission.write ? 'write' : 'read');
    }
  }
}

/** The first address of each part of `range` that window boundaries cut it into. */
function* pointsIn(range: AddressRange, edges: readonly bigint[], access: Candidate['access']): Generator<Candidate> {
  yield { address: range.start, access };
  for (const edge of edges) if (edge > range.start && edge <= range.last) yield { address: edge, access };
}

/**
 * Translation with an IOTLB in front of the tables (2.11, 3.10; VTD-70): what a walk found answers until the driver
 * invalidates it, whatever the tables say meanwhile. Which domain a requester belongs to is what the driver programmed and
 * flushed last, so an entry that somebody changes behind the driver's back is not seen either.
 *
 * Not remembered: requests with PASID, of privileged or executing kind, translation requests (their answers are the
 * device's to keep, VTD-63).
 */
import type { SubjectId } from '../description.js';
import { hex, type PhysicalAddress } from '../memory/address.js';
import { addressOf, floorLog2, frameOf, lowHalf } from '../memory/frame.js';
import { sizeText } from '../memory/sizes.js';
import { faultCodeText, type TraceSink } from '../trace/events.js';
import type { DeviceEntry, IotlbControl, UnitAnswer, UnitFault, UnitRequest } from './architecture.js';
import { NEEDS, READ, WRITE } from './entry-read.js';
import { Iotlb, type IotlbEntry } from './iotlb.js';

/** Who reads the tables. */
export interface TableWalker {
  walk(request: UnitRequest, sink: TraceSink | null): UnitAnswer;
  /** The event of a fault. */
  report(fault: UnitFault, request: UnitRequest, sink: TraceSink): void;
}

export interface CacheBehaviour {
  /** log2 of the pages that one page-selective invalidation covers at most. */
  readonly largestOrder: number;
  /** Caching mode (VT-d CM, AMD NpCache): what was not there is remembered too, so mapping needs an invalidation (2.11, 3.10). */
  readonly remembersFaults: boolean;
}

/** What a page answered that was not there, by access. */
type Faults = Partial<Record<UnitRequest['access'], UnitFault>>;

/**
 * Whether a traced request that the IOTLB could answer shows the walk all the same, as long as the tables say the same: the
 * answer is equal, and people who look at a trace want to see the entries. A stale hit never shows a walk: there is none.
 */
export const WALK_IS_SHOWN_FOR_CURRENT_HITS = true;

type Translated = Extract<UnitAnswer, { kind: 'address' }>;

const NO_DOMAIN = -1;
/** By log2: bytes. */
const BYTES = Array.from({ length: 65 }, (_, shift) => 1n << BigInt(shift));
const SMALLEST_SHIFT = 12;
/** Who caused a walk: the ID of up to 32 bits, and in the lowest place whether it wrote. */
const fillerOf = ({ requesterId, access }: UnitRequest): number => requesterId * 2 + (access === 'read' ? 0 : 1);

export class TranslationCache implements IotlbControl {
  filling = true;
  /** Made with the first entry. */
  private iotlb: Iotlb | null = null;
  /** By requester ID: the domain number; none where requests are not translated or go nowhere. */
  private readonly domains = new Map<number, number>();

  /** By slot of an entry that allows nothing. */
  private readonly faults = new Map<number, Faults>();

  constructor(private readonly unit: SubjectId, private readonly behaviour: CacheBehaviour) {}

  translate(request: UnitRequest, sink: TraceSink | null, walker: TableWalker): UnitAnswer {
    const domain = this.domainOf(request);
    if (domain === NO_DOMAIN) return walker.walk(request, sink);
    const { iotlb } = this;
    if (iotlb !== null) {
      const frame = frameOf(request.address);
      const slot = iotlb.find(domain, frame);
      // An entry that allows too little says nothing: the tables may allow more by now.
      if (slot !== -1 && (NEEDS[request.access] & ~iotlb.allowed(slot)) === 0) {
        const hit = answerOf(iotlb, slot, frame, request.address);
        return sink === null ? hit : this.traced(hit, iotlb.entry(slot), domain, request, sink, walker);
      }
      if (slot !== -1 && iotlb.allowed(slot) === 0) {
        const fault = this.faults.get(slot)?.[request.access];
        if (fault !== undefined) return sink === null ? fault : this.tracedFault(fault, request, sink, walker);
      }
    }
    const answer = walker.walk(request, sink);
    if (this.filling) this.remember(domain, request, answer);
    return answer;
  }

  /** LNX-05, 3.10: reprogramming a device ends with an invalidation of the domain that it leaves. */
  deviceChanged(requesterId: number, entry: DeviceEntry): void {
    const before = this.domains.get(requesterId) ?? NO_DOMAIN;
    const now = entry.kind === 'paging' ? entry.domainId : NO_DOMAIN;
    if (now === NO_DOMAIN) this.domains.delete(requesterId);
    else this.domains.set(requesterId, now);
    if (before !== NO_DOMAIN && before !== now) this.invalidateDomain(before);
  }

  /** Page-selective, of the power of two that covers the range; domain-selective where that is too much for one command (4.3). */
  invalidate(domain: number, iova: bigint, size: bigint): void {
    if (this.iotlb === null || size === 0n) return;
    const first = frameOf(iova);
    const last = frameOf(iova + size - 1n);
    let span = 1;
    while (Math.floor(first / span) !== Math.floor(last / span)) span *= 2;
    if (span > 2 ** this.behaviour.largestOrder) return this.invalidateDomain(domain);
    const start = first - (first % span);
    this.iotlb.invalidate(domain, start, start + span - 1);
  }

  invalidateDomain(domain: number): void {
    this.iotlb?.invalidateDomain(domain);
  }

  mapped(domain: number, iova: bigint, size: bigint): void {
    if (this.behaviour.remembersFaults) this.invalidate(domain, iova, size);
  }

  private domainOf(request: UnitRequest): number {
    if (request.addressType !== 'untranslated' || request.pasid !== undefined || request.privileged || request.execute) return NO_DOMAIN;
    return this.domains.get(request.requesterId) ?? NO_DOMAIN;
  }

  private remember(domain: number, request: UnitRequest, answer: UnitAnswer): void {
    if (answer.kind === 'address') this.fill(domain, request, answer);
    else if (answer.kind === 'fault' && this.behaviour.remembersFaults) this.fillFault(domain, request, answer);
  }

  private fill(domain: number, request: UnitRequest, { address, read, write, pageSize }: Translated): void {
    this.iotlb ??= new Iotlb();
    const shift = floorLog2(frameOf(pageSize)) + SMALLEST_SHIFT;
    this.iotlb.insert(domain, frameOf(request.address), frameOf(address), shift, (read ? READ : 0) | (write ? WRITE : 0), fillerOf(request));
  }

  /** A page that is there keeps its entry, whatever else it refuses. */
  private fillFault(domain: number, request: UnitRequest, fault: UnitFault): void {
    this.iotlb ??= new Iotlb();
    const frame = frameOf(request.address);
    const known = this.iotlb.find(domain, frame);
    if (known !== -1 && this.iotlb.allowed(known) !== 0) return;
    const slot = this.iotlb.insert(domain, frame, frame, SMALLEST_SHIFT, 0, fillerOf(request));
    this.faults.set(slot, { ...(slot === known ? this.faults.get(slot) : undefined), [request.access]: fault });
  }

  /** A hit that somebody looks at: is it what the tables still say? */
  private traced(hit: Translated, entry: IotlbEntry, domain: number, request: UnitRequest, sink: TraceSink, walker: TableWalker): UnitAnswer {
    const now = walker.walk(request, null);
    const current = now.kind === 'address' && now.address === hit.address;
    if (current && WALK_IS_SHOWN_FOR_CURRENT_HITS) walker.walk(request, sink);
    const page = `${hex(addressOf(entry.frame))} (${sizeText(BYTES[entry.shift]!)}) of domain ${domain}`;
    const push = (text: string): void => sink.push({ kind: 'note', floor: 'hardware', subject: this.unit, text, verdict: 'note', rules: ['VTD-70'] });
    if (current) {
      push(`The IOTLB has page ${page} too, so hardware may answer without reading the tables.`);
      return hit;
    }
    sink.push({
      kind: 'hop', floor: 'hardware', at: 'unit', subject: this.unit, address: hit.address, verdict: 'continue', rules: ['VTD-70'],
      text: `IOTLB hit: page ${page} leads to ${hex(addressOf(entry.target))}, filled by a ${entry.filler % 2 === 1 ? 'write' : 'read'} of ${requesterText(Math.floor(entry.filler / 2))}`,
    });
    push(`The tables are not read, and the entry is stale: ${contradiction(now)}. Nothing has invalidated the IOTLB since.`);
    return { ...hit, stale: true };
  }

  /** The same of a page that was not there. */
  private tracedFault(fault: UnitFault, request: UnitRequest, sink: TraceSink, walker: TableWalker): UnitAnswer {
    const now = walker.walk(request, null);
    if (now.kind !== 'address' && WALK_IS_SHOWN_FOR_CURRENT_HITS) return walker.walk(request, sink);
    const text = 'IOTLB hit: the unit is in caching mode and remembers that nothing was mapped here. The tables are not read; nothing has invalidated the IOTLB since they changed.';
    sink.push({ kind: 'note', floor: 'hardware', subject: this.unit, text, verdict: 'note', rules: ['VTD-70'] });
    walker.report(fault, request, sink);
    return fault;
  }
}

/** @param frame of `asked` */
function answerOf(iotlb: Iotlb, slot: number, frame: number, asked: bigint): Translated {
  const allowed = iotlb.allowed(slot);
  const address = addressOf(iotlb.frameIn(slot, frame), lowHalf(asked) & 0xfff) as PhysicalAddress;
  return { kind: 'address', address, read: (allowed & READ) !== 0, write: (allowed & WRITE) !== 0, pageSize: BYTES[iotlb.shiftOf(slot)]! };
}

/** What the tables say by now, in words. */
function contradiction(now: UnitAnswer): string {
  switch (now.kind) {
    case 'address': return `they lead to ${hex(now.address)} now`;
    case 'fault': return `a walk would end with fault ${faultCodeText(now)} now`;
    default: return 'a walk would end elsewhere now';
  }
}

const requesterText = (id: number): string => id > 0xffff ? `stream 0x${id.toString(16)}` : `${two(id >> 8)}:${two((id >> 3) & 31)}.${id & 7}`;
const two = (value: number): string => value.toString(16).padStart(2, '0');

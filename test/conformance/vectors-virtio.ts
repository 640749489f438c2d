/**
 * Recorded requests to an independent virtio-iommu device, and DMA of two endpoints behind it. A case is a sequence, so its lines are done in
 * order on one device. Its statuses and fault events are compared whole; of DMA that passed, where it went.
 */
import type { UnitAnswer } from '../../server/simulator/hardware/architecture.js';
import { VirtioIommuDevice, type Access, type ReservedMemory } from '../../server/simulator/hardware/virtio/device.js';
import { HEAD_SIZE, MAP_FLAG, REQUEST } from '../../server/simulator/hardware/virtio/protocol.js';
import { physical } from '../../server/simulator/memory/address.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import type { Outcome } from './outcome.js';
import { compareOutcome, hexadecimal, memoryOf, readLines, type Verdict } from './vector-case.js';

/** Functions of the recorded machine are below. */
const FIRST_MISSING_ENDPOINT = 0x28;
const DOORBELL: ReservedMemory = { range: { start: 0xfee0_0000n, last: 0xfeef_ffffn }, kind: 'msi' };

/** As the recorded device is: it looks at neither alignment nor input range (VI-15). */
function newDevice(): VirtioIommuDevice {
  return new VirtioIommuDevice({
    pageSizeMask: ~0xfffn, inputRange: { start: 0n, last: (1n << 64n) - 1n }, checksRanges: false,
    exists: (endpoint) => endpoint < FIRST_MISSING_ENDPOINT, regionsOf: () => [DOORBELL],
  });
}

interface Mapped {
  readonly domain: number;
  readonly start: bigint;
  readonly end: bigint;
}

const rangeOf = ([domain, start, end]: readonly string[]): Mapped => ({ domain: Number(hexadecimal(domain!)), start: hexadecimal(start!), end: hexadecimal(end!) });
const isInside = (inner: Mapped, outer: Mapped): boolean => inner.domain === outer.domain && outer.start <= inner.start && inner.end <= outer.end;

/** All cases of a file. */
export function runVirtioFile(file: string, results: ReadonlyMap<string, string>, totals: Outcome): void {
  let sequence: Sequence | null = null;
  for (const line of readLines(file)) {
    const [word = '', ...operands] = line.trim().split(/\s+/);
    if (word === 'case') sequence = new Sequence(operands[0]!, operands[1] === '1', results, totals);
    else if (word !== '' && word !== 'end') sequence?.perform(word, operands);
  }
}

class Sequence {
  private readonly device = newDevice();
  private readonly memory: PhysicalMemory = memoryOf({ words: [] });
  private readonly mapped: Mapped[] = [];
  /** Mappings inside a range that could not be unmapped because another would have been cut. */
  private readonly perhapsGone = new Set<Mapped>();
  /** Where writes went that were not looked for there. */
  private readonly leftBehind = new Set<bigint>();
  private step = 0;

  constructor(private readonly id: string, bypass: boolean, private readonly results: ReadonlyMap<string, string>, private readonly totals: Outcome) {
    this.device.bypass = bypass;
  }

  perform(word: string, operands: readonly string[]): void {
    const name = `${this.id}.${this.step++}`;
    const expected = this.results.get(name);
    const [verdict, said] = this.compare(word, operands, expected ?? '');
    if (expected === undefined || verdict === null) return;
    this.totals[verdict]++;
    if (verdict !== 'agree') this.totals.differences.push(`${name}: ${word} ${operands.join(' ')}: recorded ${expected}, we say ${said} (${this.deviation(word, operands, expected) ?? 'nobody knows why'})`);
  }

  private compare(word: string, operands: readonly string[], expected: string): [Verdict | null, string] {
    return word === 'dma' ? this.dma(operands, expected) : this.request(word, operands, expected);
  }

  /**
   * The specification leaves everything where it is when an unmap would cut a mapping. The recorded device removes what it meets before, in the
   * order of its search tree; whether it did shows later, and from then on the device here follows it.
   */
  private deviation(word: string, operands: readonly string[], expected: string): string | null {
    const found = /^OK wrote=(\w+)$/.exec(expected)?.[1];
    if (found !== undefined && this.leftBehind.has(hexadecimal(found))) return 'an earlier write had left its bytes where this one was looked for';
    const [start, end] = word === 'dma' ? [hexadecimal(operands[2]!), hexadecimal(operands[2]!)] : [operands[1], operands[2]].map((each) => hexadecimal(each ?? '0'));
    const concerned = [...this.perhapsGone].filter((each) => each.start <= end! && start! <= each.end);
    if (concerned.length === 0) return null;
    for (const each of concerned) {
      this.device.unmap(each.domain, each.start, each.end);
      this.perhapsGone.delete(each);
    }
    return this.compare(word, operands, expected)[0] === 'agree' ? 'an unmap that would cut one mapping has removed others before it fails' : null;
  }

  /** Null for a line that is no question. */
  private request(word: string, operands: readonly string[], expected: string): [Verdict | null, string] {
    const answer = this.answer(word, operands);
    if (answer === null) return [null, ''];
    if (word === 'map' && answer === 'OK') this.mapped.push(rangeOf(operands));
    if (word === 'unmap' && answer === 'RANGE') this.mapped.filter((each) => isInside(each, rangeOf(operands))).forEach((each) => this.perhapsGone.add(each));
    return [answer === expected ? 'agree' : 'differ', answer];
  }

  private answer(word: string, operands: readonly string[]): string | null {
    const { device } = this;
    const numbers = operands.map(hexadecimal);
    const [first = 0, second = 0, third = 0] = numbers.map(Number);
    switch (word) {
      case 'attach': return device.attach(first, second, third);
      case 'detach': return device.detach(first, second);
      case 'map': return device.map(first, numbers[1]!, numbers[2]!, numbers[3]!, Number(numbers[4]));
      case 'unmap': return device.unmap(first, numbers[1]!, numbers[2]!);
      case 'probe': return probeText(device, first);
      case 'raw': return this.raw(first, second + HEAD_SIZE);
      case 'bypass': device.bypass = first === 1; return null;
      default: return null;
    }
  }

  /** All bytes after the head are zero. */
  private raw(type: number, size: number): string {
    const wrong = this.device.malformed(type, size);
    if (wrong !== null) return wrong;
    switch (type) {
      case REQUEST.attach: return this.device.attach(0, 0, 0);
      case REQUEST.detach: return this.device.detach(0, 0);
      case REQUEST.map: return this.device.map(0, 0n, 0n, 0n, 0);
      case REQUEST.unmap: return this.device.unmap(0, 0n, 0n);
      default: return probeText(this.device, 0);
    }
  }

  private dma([endpoint, write, address]: readonly string[], expected: string): [Verdict, string] {
    const id = Number.parseInt(endpoint!, 16);
    const access = this.device.access(id, write === '1' ? MAP_FLAG.write : MAP_FLAG.read, hexadecimal(address!));
    if (access.kind === 'fault') {
      const said = `FAULT reason=${access.reason} flags=${access.flags.toString(16)} ep=${endpoint} addr=${address}`;
      return [said === expected ? 'agree' : 'differ', said];
    }
    if (expected.startsWith('FAULT')) return ['differ', access.kind];
    const answer = answerOf(access, hexadecimal(address!));
    // A write was looked for where the mapping alone would put it.
    const unfound = expected === 'OK wrote=?' && access.kind === 'mapped' && access.address - access.to !== hexadecimal(address!) - access.range.start;
    if (unfound) this.leftBehind.add(access.address);
    return [unfound ? 'agree' : compareOutcome(expected, answer, this.memory), answer.kind === 'address' ? `address ${answer.address.toString(16)}` : answer.kind];
  }
}

function answerOf(access: Exclude<Access, { kind: 'fault' }>, address: bigint): UnitAnswer {
  if (access.kind === 'doorbell') return { kind: 'interrupt', remapped: false };
  return { kind: 'address', address: physical(access.kind === 'mapped' ? access.address : address), read: true, write: true, pageSize: 4096n };
}

function probeText(device: VirtioIommuDevice, endpoint: number): string {
  const reply = device.probe(endpoint);
  if (reply.status !== 'OK') return reply.status;
  return ['OK', ...reply.regions.map(({ range, kind }) => `prop1:${kind === 'msi' ? 1 : 0}:${range.start.toString(16)}-${range.last.toString(16)}`)].join(' ');
}

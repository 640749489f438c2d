/** Recorded questions to an independent VT-d model. */
import type { UnitAnswer, UnitFault } from '../../server/simulator/hardware/architecture.js';
import { VtdUnit } from '../../server/simulator/hardware/vtd/unit.js';
import type { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { kernel, request, unitDescription } from '../hardware/request.js';
import type { Outcome } from './outcome.js';
import { compareOutcome, hexadecimal, memoryOf, type Asked, type Case, type Verdict } from './vector-case.js';
import { deviationOf, pageKey } from './vectors-vtd-deviations.js';

const widthOf = (unit: ReadonlySet<string>): number => (unit.has('aw=39') ? 39 : 48);

/** The independent models have one width for addresses of devices and of memory. */
function unitOf({ unit: words, rootTable, interruptTable }: Case, memory: PhysicalMemory): VtdUnit {
  const width = widthOf(words);
  const unit = new VtdUnit(unitDescription('vtd', {
    addressWidth: width, physicalWidth: width, levels: width === 39 ? [3] : [3, 4], deviceTlb: words.has('dt'), snoopControl: false,
    interruptRemapping: interruptTable !== null, scalableMode: words.has('scalable'), firstStage: words.has('first-stage'),
  }), memory, kernel(6012));
  unit.registers.rootTable = rootTable;
  unit.registers.interruptTable = interruptTable;
  return unit;
}

/** All requests come from bus 0. */
function rootHasReserved({ rootTable, words, unit }: Case): boolean {
  const start = rootTable & ~0xfffn;
  const width = widthOf(unit);
  return words.some(([address, value]) => address >= start && address < start + 16n && ((value & 0xffen) !== 0n || value >> BigInt(width) !== 0n));
}

export function runVtdCase(item: Case, results: ReadonlyMap<string, string>, totals: Outcome): void {
  const memory = memoryOf(item);
  const unit = unitOf(item, memory);
  const reached = new Set<string>();
  const situation = { reached, scalable: item.unit.has('scalable'), rootHasReserved: rootHasReserved(item) };
  item.requests.forEach((asked, i) => {
    const name = `${item.id}.${i}`;
    const expected = results.get(name);
    if (expected === undefined) return;
    const size = asked.interruptData === undefined ? { size: 8 } : { size: 4, data: asked.interruptData };
    const answer = unit.translate(request(asked.requesterId, asked.write ? 'write' : 'read', asked.address, size), null);
    const verdict = compare(expected, answer, asked, memory);
    totals[verdict]++;
    if (verdict !== 'agree') totals.differences.push(`${name}: recorded ${expected}, we say ${describe(answer)} (${deviationOf(expected, answer, asked, situation) ?? 'nobody knows why'})`);
    if (answer.kind === 'address') reached.add(pageKey(asked, answer.pageSize));
  });
}

function describe(answer: UnitAnswer): string {
  switch (answer.kind) {
    case 'address': return `address ${answer.address.toString(16)}`;
    case 'fault': return `reason=${answer.code.toString(16)}${answer.recorded ? '' : ' unrecorded'}`;
    case 'interrupt': return 'interrupt';
    case 'blocked': return `blocked: ${answer.reason}`;
  }
}

function compare(expected: string, answer: UnitAnswer, asked: Asked, memory: PhysicalMemory): Verdict {
  const fault = /^FAULT reason=(\w+) type=(\w) sid=(\w+) fi=(\w+)/.exec(expected);
  if (fault !== null) {
    const same = answer.kind === 'fault' && answer.recorded && answer.code === Number.parseInt(fault[1]!, 16) && (fault[2] === 'W') === asked.write
      && Number.parseInt(fault[3]!, 16) === asked.requesterId && hexadecimal(fault[4]!) === faultInformation(answer, asked);
    return same ? 'agree' : 'differ';
  }
  if (expected === 'OK interrupt') return answer.kind === 'interrupt' || (answer.kind === 'fault' && !answer.recorded) ? 'agree' : 'differ';
  return compareOutcome(expected, answer, memory);
}

/** FRCD: the page, or which interrupt entry was wanted. */
const faultInformation = (answer: UnitFault, asked: Asked): bigint => (asked.interruptData === undefined ? asked.address & ~0xfffn : BigInt(answer.interruptIndex ?? 0) << 48n);

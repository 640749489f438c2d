/** Recorded questions to an independent SMMUv3 model. */
import type { UnitAnswer, UnitRequest } from '../../server/simulator/hardware/architecture.js';
import type { SmmuCapabilities } from '../../server/simulator/hardware/smmuv3/capabilities.js';
import { SmmuUnit } from '../../server/simulator/hardware/smmuv3/unit.js';
import { physical } from '../../server/simulator/memory/address.js';
import type { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import type { ReadEvent } from '../../server/simulator/trace/events.js';
import { kernel, Recorder, request, unitDescription } from '../hardware/request.js';
import type { Outcome } from './outcome.js';
import { compareOutcome, hexadecimal, memoryOf, type Asked, type Case, type Verdict } from './vector-case.js';
import { AMENDMENTS, deviationOf } from './vectors-smmuv3-deviations.js';

/** What the emulator's ID registers say. */
const HARDWARE: SmmuCapabilities = {
  addressWidth: 48, outputWidth: 44, granules: [12, 14, 16], stageOne: true, stageTwo: true, streamBits: 16, substreamBits: 0, twoLevelContexts: true, hardwareUpdate: 0, stallModel: 1, abortsOnly: true, ats: false,
};
const RAM = 0x4000_0000n;
/** Where every word that is no table's holds a marker that says its own address. */
const MARKERS = { start: RAM + (8n << 20n), end: RAM + (60n << 20n) };

export function runSmmuCase(item: Case, results: ReadonlyMap<string, string>, totals: Outcome): void {
  const memory = memoryOf(item, RAM);
  const unit = new SmmuUnit(unitDescription('smmuv3'), memory, kernel(6012), HARDWARE);
  unit.registers.streamTable = item.rootTable;
  unit.registers.streamTableConfig = item.tableConfig;
  item.requests.forEach((asked, i) => {
    const name = `${item.id}.${i}`;
    const expected = results.get(name);
    if (expected === undefined || expected === 'CRASH') return;
    const question = request(asked.requesterId, asked.write ? 'write' : 'read', asked.address, { size: 8 });
    const answer = unit.translate(question, null);
    const verdict = compare(expected, answer, asked, memory);
    totals[verdict]++;
    if (verdict === 'agree') return;
    totals.differences.push(`${name}: recorded ${expected}, we say ${describe(answer)} (${reasonOf(unit, question, expected, asked)})`);
  });
}

/** By name, what the emulator does otherwise: amended until our unit sees what it saw, and a rule for what is left. */
function reasonOf(unit: SmmuUnit, question: UnitRequest, expected: string, asked: Asked): string {
  const { memory } = unit;
  const before = new Map<bigint, bigint>();
  const names = new Set<string>();
  const made = new Set<string>();
  for (;;) {
    const { answer, reads } = traced(unit, question);
    const change = changeOf(reads, made, memory);
    if (change !== null) {
      if (!before.has(change.address)) before.set(change.address, memory.readWord(physical(change.address)));
      memory.writeWord(physical(change.address), change.word);
      names.add(change.name);
      continue;
    }
    const left = compare(expected, answer, asked, memory) === 'agree' ? [] : [deviationOf({ expected, answer, asked, reads }) ?? 'nobody knows why'];
    before.forEach((word, address) => memory.writeWord(physical(address), word));
    return [...names, ...left].join('; ');
  }
}

function traced(unit: SmmuUnit, question: UnitRequest): { answer: UnitAnswer; reads: readonly ReadEvent[] } {
  const recorder = new Recorder();
  const answer = unit.translate(question, recorder);
  return { answer, reads: recorder.events.filter((event) => event.kind === 'read') };
}

/** @param made amendments so far, by name and address */
function changeOf(reads: readonly ReadEvent[], made: Set<string>, memory: PhysicalMemory): { readonly name: string; readonly address: bigint; readonly word: bigint } | null {
  const entry = reads.find((read) => read.entry === 'STE');
  for (const read of reads) {
    if (read.words.length === 0) continue;
    for (const { name, amend } of AMENDMENTS) {
      const key = `${name} ${read.address}`;
      if (made.has(key)) continue;
      made.add(key);
      const word = amend(read, entry, (address) => memory.readWord(physical(address)));
      if (word !== null && word !== read.words[0]) return { name, address: read.address, word };
    }
  }
  return null;
}

function describe(answer: UnitAnswer): string {
  switch (answer.kind) {
    case 'address': return `address ${answer.address.toString(16)} ${answer.read ? 'r' : ''}${answer.write ? 'w' : ''}`;
    case 'fault': return `event ${answer.code.toString(16)} ${(answer.record ?? []).map((word) => word.toString(16)).join()}${answer.recorded ? '' : ' unrecorded'}`;
    case 'interrupt': return 'interrupt';
    case 'blocked': return `blocked: ${answer.reason}`;
  }
}

const WALK_FAULTS = 0x10;

/** The emulator records the lower bits of intermediate addresses too, for which the record has no room. */
const comparable = (words: readonly bigint[], code: number): string => words.map((word, i) => (i === 3 && code >= WALK_FAULTS ? word & ~0xfffn : word).toString(16)).join();

/** No event: who was let through shows where, but what was written to a page that cannot be read is not found again. */
function compareSilence(expected: string, answer: UnitAnswer, memory: PhysicalMemory): Verdict {
  if (expected === 'OK wrote=nothing') return answer.kind === 'blocked' || (answer.kind === 'fault' && !answer.recorded) ? 'agree' : 'differ';
  return expected === 'OK wrote=?' && answer.kind === 'address' && !answer.read ? 'agree' : compareOutcome(expected, answer, memory, MARKERS);
}

function compare(expected: string, answer: UnitAnswer, asked: Asked, memory: PhysicalMemory): Verdict {
  const event = /^EVENT type=(\w+) sid=(\w+) w=([\w,]+)$/.exec(expected);
  if (event === null) return compareSilence(expected, answer, memory);
  const code = Number.parseInt(event[1]!, 16);
  const words = event[3]!.split(',').map(hexadecimal);
  const same = answer.kind === 'fault' && answer.recorded && answer.code === code && Number.parseInt(event[2]!, 16) === asked.requesterId && comparable(words, code) === comparable(answer.record ?? [], code);
  return same ? 'agree' : 'differ';
}

/** Recorded questions to an independent AMD-Vi model: `rt` is the device table register, `EVENT` the first logged event. */
import { EVENT, FLAG } from '../../server/simulator/hardware/amdvi/events.js';
import { AmdUnit } from '../../server/simulator/hardware/amdvi/unit.js';
import type { UnitAnswer } from '../../server/simulator/hardware/architecture.js';
import type { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { kernel, request, unitDescription } from '../hardware/request.js';
import type { Outcome } from './outcome.js';
import { compareOutcome, memoryOf, type Asked, type Case, type Verdict } from './vector-case.js';

export function runAmdCase(item: Case, results: ReadonlyMap<string, string>, totals: Outcome): void {
  const memory = memoryOf(item);
  const unit = new AmdUnit(unitDescription('amd-vi', { addressWidth: 64, interruptRemapping: false, deviceTlb: false }), memory, kernel(6012));
  unit.registers.deviceTable = item.rootTable;
  item.requests.forEach((asked, i) => {
    const name = `${item.id}.${i}`;
    const expected = results.get(name);
    if (expected === undefined) return;
    const answer = unit.translate(request(asked.requesterId, asked.write ? 'write' : 'read', asked.address, { size: 8 }), null);
    const verdict = compare(expected, answer, asked, memory);
    totals[verdict]++;
    if (verdict !== 'agree') totals.differences.push(`${name}: recorded ${expected}, we say ${describe(answer)} (${deviationOf(expected, answer) ?? 'nobody knows why'})`);
  });
}

function describe(answer: UnitAnswer): string {
  switch (answer.kind) {
    case 'address': return `address ${answer.address.toString(16)}`;
    case 'fault': return `event ${answer.code.toString(16)} flags ${(answer.flags ?? 0).toString(16)}${answer.recorded ? '' : ' unrecorded'}`;
    case 'interrupt': return 'interrupt';
    case 'blocked': return `blocked: ${answer.reason}`;
  }
}

/**
 * Code and device of an event are compared. The emulator's flags are its own access bits, and say of every page fault that it
 * is an interrupt's; it leaves domain and address out.
 */
function compare(expected: string, answer: UnitAnswer, asked: Asked, memory: PhysicalMemory): Verdict {
  const event = /^EVENT code=(\w+) flags=\w+ devid=(\w+) /.exec(expected);
  if (event === null) return compareOutcome(expected, answer, memory);
  return answer.kind === 'fault' && answer.recorded && answer.code === Number.parseInt(event[1]!, 16) && Number.parseInt(event[2]!, 16) === asked.requesterId ? 'agree' : 'differ';
}

/** What the emulator does where the manual says something else; found with a second walker that works as it does. */
function deviationOf(expected: string, answer: UnitAnswer): string | undefined {
  if (answer.kind === 'address' && expected === 'OK wrote=?' && !answer.read) return 'what is written to a page that cannot be read is not found when its size is between those of the levels';
  if (answer.kind === 'address') return expected.startsWith('EVENT code=1 ') ? 'reserved bits of a device table entry are judged although V is clear' : undefined;
  if (answer.kind !== 'fault') return undefined;
  const flags = answer.flags ?? 0;
  if ((flags & FLAG.guest) !== 0) return 'guest tables are not looked at';
  if (answer.code !== EVENT.pageFault) return undefined;
  if (!answer.recorded) return 'SA and SE suppress nothing';
  if ((flags & FLAG.reserved) !== 0) return 'reserved bits of table entries are not judged';
  if ((flags & FLAG.permission) !== 0) return 'permissions above the leaf do not count, nor any without levels; those of the leaf refuse without event';
  if ((flags & FLAG.present) !== 0) return 'whether NextLevel fits the level, the size and the address is not judged';
  return expected.startsWith('OK ') ? 'TV clear refuses without event' : undefined;
}

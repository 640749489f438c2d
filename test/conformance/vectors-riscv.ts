/** Recorded questions to the reference model of the RISC-V IOMMU: answers, fault records and what was written into tables. */
import type { UnitAnswer, UnitRequest } from '../../server/simulator/hardware/architecture.js';
import { decodeCapabilities } from '../../server/simulator/hardware/riscv/capabilities.js';
import { TRANSACTION } from '../../server/simulator/hardware/riscv/causes.js';
import { CONTROL } from '../../server/simulator/hardware/riscv/device-directory.js';
import { ENTRY } from '../../server/simulator/hardware/riscv/page-entry.js';
import { RiscvUnit } from '../../server/simulator/hardware/riscv/unit.js';
import { physical } from '../../server/simulator/memory/address.js';
import { addressOf } from '../../server/simulator/memory/frame.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { kernel, unitDescription } from '../hardware/request.js';
import type { Outcome } from './outcome.js';
import { readRiscvCases, type RiscvAsked, type RiscvCase } from './riscv-case.js';
import { deviationOf } from './vectors-riscv-deviations.js';

/** One line of results: "OK", "UR" or "CA" as `status`, and what follows by name. */
export type Fields = Readonly<Record<string, string>>;

export function runRiscvCases(file: string, results: ReadonlyMap<string, string>, totals: Outcome): void {
  for (const item of readRiscvCases(file)) runCase(item, results, totals);
}

function runCase(item: RiscvCase, results: ReadonlyMap<string, string>, totals: Outcome): void {
  const { memory, unit } = machineOf(item);
  const words = new Map(item.words);
  item.requests.forEach((asked, i) => {
    const name = `${item.id}.${i}`;
    const answer = unit.translate(asked.request, null);
    const said = describe(unit, asked, answer, written(memory, words));
    const recorded = results.get(name);
    if (recorded === undefined) return;
    const expected = fieldsOf(recorded);
    const differing = differences(expected, said);
    if (differing.length === 0) {
      totals.agree++;
      return;
    }
    totals.differ++;
    totals.differences.push(`${name}: recorded ${recorded}, we say ${text(said)} (${deviationOf({ expected, said, differing, unit, asked }) ?? 'nobody knows why'})`);
  });
}

/** The unit writes its tables elsewhere: the case's own are put into a memory that it has all to itself. */
function machineOf(item: RiscvCase): { memory: PhysicalMemory; unit: RiscvUnit } {
  const memory = new PhysicalMemory();
  const unit = new RiscvUnit(unitDescription('riscv-iommu'), memory, kernel(6019), { capabilities: decodeCapabilities(item.capabilities), choices: item.choices });
  unit.registers.writeDirectoryPointer(0n);
  memory.forget(unit.driverTables);
  for (const [address, value] of item.words) memory.writeWord(physical(address), value);
  unit.registers.featureControl = item.featureControl;
  unit.registers.memoryFaults = item.faults;
  unit.registers.writeDirectoryPointer(item.directoryPointer);
  return { memory, unit };
}

/** Words that changed since the last time, which only accessed and dirty bits do. */
function written(memory: PhysicalMemory, words: Map<bigint, bigint>): string {
  const changed: string[] = [];
  for (const [address, before] of words) {
    const now = memory.readWord(physical(address));
    if (now === before) continue;
    words.set(address, now);
    changed.push(`${address.toString(16)}:${now.toString(16)}`);
  }
  return changed.join(',');
}

export function fieldsOf(line: string): Fields {
  const [status, ...rest] = line.split(' ');
  return { status: status!, ...Object.fromEntries(rest.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)])) };
}

const text = ({ status, ...rest }: Fields): string => `${status} ${Object.entries(rest).map(([name, value]) => `${name}=${value}`).join(' ')}`;

/** The line that the reference model would have written. */
function describe(unit: RiscvUnit, asked: RiscvAsked, answer: UnitAnswer, wr: string): Fields {
  const { translation } = unit;
  const asks = asked.request.addressType === 'translation-request';
  const changes: Fields = wr === '' ? {} : { wr };
  if (translation.cause !== 0) {
    const status = answer.kind === 'address' ? 'OK' : asks && !unsupported(translation.cause) ? 'CA' : 'UR';
    const completion: Fields = status === 'OK' ? { perm: '---', u: '0', priv: asked.request.pasid !== undefined && asked.request.privileged ? '1' : '0', g: '0', cxl: '0' } : {};
    const fq: Fields = answer.kind === 'fault' && answer.recorded ? { fq: record(translation.cause, asked.request, translation.faultValue) } : {};
    return { status, cause: `${translation.cause}`, iotval2: translation.faultValue.toString(16), ...completion, ...fq, ...changes };
  }
  return { status: 'OK', cause: '0', ...placeOf(unit, answer, asked), msi: translation.interruptFile ? '1' : '0', pbmt: `${translation.memoryType}`, ...(asks ? completionOf(unit, asked) : {}), ...changes };
}

/** Causes that mean that the device may not ask at all. */
const unsupported = (cause: number): boolean => cause >= 256 && cause <= 260;

/**
 * In the way of the recorded model where the specification leaves a choice: a NAPOT page is said to be one page, and with T2GPA a
 * translation request is told the physical address (`fillats=0`), of which ours is asked beside the guest's that it answers.
 */
function placeOf({ translation }: RiscvUnit, answer: UnitAnswer, { request }: RiscvAsked): Fields {
  const page = addressOf(translation.frame);
  if (translation.inMemory) return { mrif: translation.files.fileAddress.toString(16), nid: translation.files.noticeId.toString(16), notice: page.toString(16) };
  if (answer.kind !== 'address') return {};
  const givesGuestAddress = request.addressType === 'translation-request' && translation.device.has(CONTROL.t2gpa);
  const address = givesGuestAddress ? page | (request.address & 0xfffn) : answer.address;
  return { pa: address.toString(16), sz: (answer.pageSize === NAPOT ? 4096n : answer.pageSize).toString(16) };
}

const NAPOT = 1n << 16n;

function completionOf({ translation }: RiscvUnit, { request, cxl }: RiscvAsked): Fields {
  const { allowed, dirty, inMemory, interruptFile, memoryType, device } = translation;
  const read = (allowed & ENTRY.read) !== 0;
  const perm = `${read ? 'r' : '-'}${(allowed & ENTRY.write) !== 0 && dirty ? 'w' : '-'}${read && (allowed & ENTRY.execute) !== 0 ? 'x' : '-'}`;
  const bit = (on: boolean): string => (on ? '1' : '0');
  return { perm, u: bit(inMemory), priv: bit(request.pasid !== undefined && request.privileged), g: bit(translation.global && request.pasid !== undefined), cxl: bit(cxl && (memoryType !== 0 || interruptFile || device.has(CONTROL.t2gpa))) };
}

/** CAUSE:TTYP:PV:PID:PRIV:DID:IOTVAL:IOTVAL2 */
function record(cause: number, { addressType, access, execute, pasid, privileged, requesterId, address }: UnitRequest, value: bigint): string {
  const translated = addressType === 'translated';
  const executes = execute && access === 'read' && (!translated || pasid !== undefined);
  const type = addressType === 'translation-request' ? TRANSACTION.translationRequest : (access !== 'read' ? TRANSACTION.write : executes ? TRANSACTION.execute : TRANSACTION.read) + (translated ? TRANSACTION.translated : 0);
  const process = pasid === undefined ? '0:0:0' : `1:${pasid.toString(16)}:${privileged ? 1 : 0}`;
  return `${cause}:${type}:${process}:${requesterId.toString(16)}:${address.toString(16)}:${value.toString(16)}`;
}

function differences(expected: Fields, said: Fields): string[] {
  // Where a translation request is answered without permission, nothing else of the completion means anything.
  const empty = expected['perm'] === '---' && expected['cause'] !== '0' && said['cause'] !== '0';
  const names = new Set([...Object.keys(expected), ...Object.keys(said)]);
  return [...names].filter((name) => !(empty && COMPLETION_ONLY.has(name)) && comparable(name, expected[name]) !== comparable(name, said[name]));
}

const COMPLETION_ONLY: ReadonlySet<string> = new Set(['pa', 'sz', 'priv', 'g', 'cxl', 'u']);

/** The address of an entry that the unit read for itself may be reported without the offset in its page. */
function comparable(name: string, value: string | undefined): string | undefined {
  if (value === undefined || (name !== 'iotval2' && name !== 'fq')) return value;
  const at = value.lastIndexOf(':') + 1;
  const address = BigInt(`0x${value.slice(at)}`);
  return (address & 1n) === 0n ? value : `${value.slice(0, at)}${(address & ~0xffcn).toString(16)}`;
}

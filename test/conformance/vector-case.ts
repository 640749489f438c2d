/** Recorded questions to an independent hardware model: how they are written, and what of their answers needs no architecture. */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { UnitAnswer } from '../../server/simulator/hardware/architecture.js';
import { physical } from '../../server/simulator/memory/address.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';

export interface Asked {
  readonly requesterId: number;
  readonly write: boolean;
  readonly address: bigint;
  /** Of a message to the interrupt window; absent = DMA of 8 bytes. */
  readonly interruptData?: number;
}

export interface Case {
  readonly id: string;
  /** What the unit has. */
  readonly unit: ReadonlySet<string>;
  /** Value of the register that says where the first table is. */
  readonly rootTable: bigint;
  /** SMMUv3: value of STRTAB_BASE_CFG. */
  readonly tableConfig: number;
  readonly interruptTable: bigint | null;
  readonly words: readonly (readonly [address: bigint, value: bigint])[];
  readonly requests: readonly Asked[];
}

export function readLines(file: string): string[] {
  const bytes = readFileSync(file);
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n');
}

export const hexadecimal = (text: string): bigint => BigInt(`0x${text}`);

export function* readCases(file: string): Generator<Case> {
  let id = '';
  let unit: ReadonlySet<string> = new Set();
  let rootTable = 0n;
  let tableConfig = 0;
  let interruptTable: bigint | null = null;
  let words: [bigint, bigint][] = [];
  let requests: Asked[] = [];
  for (const line of readLines(file)) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === 'unit') unit = new Set(rest);
    if (word === 'case') [id, rootTable, interruptTable, words, requests] = [rest[0]!, 0n, null, [], []];
    if (word === 'rt') rootTable = hexadecimal(rest[0]!);
    if (word === 'strtab') [rootTable, tableConfig] = [hexadecimal(rest[0]!), Number.parseInt(rest[1]!, 16)];
    if (word === 'irta') interruptTable = hexadecimal(rest[0]!);
    if (word === 'mem') rest.slice(1).forEach((value, i) => words.push([hexadecimal(rest[0]!) + 8n * BigInt(i), hexadecimal(value)]));
    if (word === 'req') requests.push({ requesterId: Number.parseInt(rest[0]!, 16), write: rest[1] === '1', address: hexadecimal(rest[2]!) });
    if (word === 'irq') requests.push({ requesterId: Number.parseInt(rest[0]!, 16), write: true, address: hexadecimal(rest[1]!), interruptData: Number.parseInt(rest[2]!, 16) });
    if (word === 'end') yield { id, unit, rootTable, tableConfig, interruptTable, words, requests };
  }
}

export function readResults(plain: string): Map<string, string> {
  const file = existsSync(plain) ? plain : plain.endsWith('.gz') ? plain.replace(/\.gz$/, '') : `${plain}.gz`;
  return new Map(readLines(file).filter((line) => line.includes(' ')).map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1).trim()]));
}

/** 64 MiB at 0; from 1 MiB on every word outside the case's tables holds a marker that says its own address. */
const RAM_END = 64n << 20n;
const MARKERS = { start: 1n << 20n, end: RAM_END };

/** The memory of a case. @param start of the RAM */
export function memoryOf({ words }: Pick<Case, 'words'>, start = 0n): PhysicalMemory {
  const memory = new PhysicalMemory(undefined, { installed: [{ start: physical(start), last: physical(start + RAM_END - 1n) }] });
  for (const [address, value] of words) memory.writeWord(physical(address), value);
  return memory;
}

export type Verdict = 'agree' | 'differ' | 'unknown';

/** Answers without fault record; who has nothing recorded may have been refused without one. @param markers where they are */
export function compareOutcome(expected: string, answer: UnitAnswer, memory: PhysicalMemory, markers = MARKERS): Verdict {
  const place = /^OK (pa|wrote)=([0-9a-f,]+)$/.exec(expected);
  if (place !== null) return answer.kind === 'address' && place[2]!.split(',').some((at) => hexadecimal(at) === answer.address) ? 'agree' : 'differ';
  const data = /^OK data=([0-9a-f]+)$/.exec(expected);
  if (data === null && expected !== 'OK wrote=?') return 'unknown';
  if (answer.kind === 'fault') return answer.recorded ? 'differ' : 'agree';
  if (answer.kind !== 'address') return 'agree';
  return hasMarker(answer.address, memory, markers) || (data !== null && isTable(answer.address, memory) && memory.readWord(answer.address) !== hexadecimal(data[1]!)) ? 'differ' : 'agree';
}

const isTable = (address: bigint, memory: PhysicalMemory): boolean => memory.page(Number(address >> 12n)) !== undefined;
/** A read there would have returned the address, a write would have been found there. */
const hasMarker = (address: bigint, memory: PhysicalMemory, { start, end }: typeof MARKERS): boolean => address >= start && address < end && !isTable(address, memory);

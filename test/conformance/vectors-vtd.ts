/**
 * Runs recorded questions to independent hardware models (tables in raw form, DMA requests) and compares the answers.
 * A folder holds `NAME.cases.txt[.gz]` and `NAME.results.txt[.gz]`; its README describes the format.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { UnitAnswer } from '../../server/simulator/hardware/architecture.js';
import { VtdUnit } from '../../server/simulator/hardware/vtd/unit.js';
import { physical } from '../../server/simulator/memory/address.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { kernel, request, unitDescription } from '../hardware/request.js';
import { noOutcome, type Outcome } from './outcome.js';

interface Case {
  readonly id: string;
  readonly rootTable: bigint;
  readonly words: readonly (readonly [address: bigint, value: bigint])[];
  readonly requests: readonly Asked[];
}

/**
 * Requests to architectures without a runner are not covered; recorded answers in a form that says too little, unknown.
 * @param path a folder (searched with its subfolders) or one cases file
 */
export function runVectors(path: string): Outcome {
  const totals = noOutcome();
  for (const file of caseFiles(path)) {
    if (architectureOf(file) !== 'vtd') {
      totals.notCovered += readLines(file).filter((line) => line.startsWith('req')).length;
      continue;
    }
    const results = readResults(file.replace('.cases.', '.results.'));
    for (const item of readCases(file)) runCase(item, results, totals);
  }
  return totals;
}

function caseFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /cases\.txt(\.gz)?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

const ARCHITECTURES = ['vtd', 'smmuv3', 'riscv', 'virtio'];

/** By the folder's name, else by the first architecture that its README's title names. */
function architectureOf(file: string): string | undefined {
  const folder = basename(dirname(file)).toLowerCase();
  const named = ARCHITECTURES.find((name) => folder.includes(name));
  if (named !== undefined) return named;
  const readme = join(dirname(file), 'README.md');
  const title = existsSync(readme) ? readFileSync(readme, 'utf8').split('\n')[0]!.toLowerCase().replace('vt-d', 'vtd') : '';
  return ARCHITECTURES.find((name) => title.includes(name));
}

function readLines(file: string): string[] {
  const bytes = readFileSync(file);
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n');
}

const hexadecimal = (text: string): bigint => BigInt(`0x${text}`);

function* readCases(file: string): Generator<Case> {
  let id = '';
  let rootTable = 0n;
  let words: [bigint, bigint][] = [];
  let requests: Asked[] = [];
  for (const line of readLines(file)) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === 'case') [id, rootTable, words, requests] = [rest[0]!, 0n, [], []];
    if (word === 'rt') rootTable = hexadecimal(rest[0]!);
    if (word === 'mem') rest.slice(1).forEach((value, i) => words.push([hexadecimal(rest[0]!) + 8n * BigInt(i), hexadecimal(value)]));
    if (word === 'req') requests.push({ requesterId: Number.parseInt(rest[0]!, 16), write: rest[1] === '1', address: hexadecimal(rest[2]!) });
    if (word === 'end') yield { id, rootTable, words, requests };
  }
}

function readResults(plain: string): Map<string, string> {
  const file = existsSync(plain) ? plain : plain.endsWith('.gz') ? plain.replace(/\.gz$/, '') : `${plain}.gz`;
  return new Map(readLines(file).filter((line) => line.includes(' ')).map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1).trim()]));
}

/** 64 MiB at 0; from 1 MiB on every word outside the case's tables holds a marker that says its own address. */
const RAM_END = 64n << 20n;
const MARKERS_START = 1n << 20n;

type Verdict = 'agree' | 'differ' | 'unknown';

interface Asked {
  readonly requesterId: number;
  readonly write: boolean;
  readonly address: bigint;
}

function runCase(item: Case, results: ReadonlyMap<string, string>, totals: Outcome): void {
  const memory = new PhysicalMemory(undefined, { installed: [{ start: physical(0n), last: physical(RAM_END - 1n) }] });
  const description = unitDescription('vtd', { addressWidth: 48, physicalWidth: 48, levels: [3, 4], deviceTlb: false, snoopControl: false, interruptRemapping: false });
  const unit = new VtdUnit(description, memory, kernel(6012));
  for (const [address, value] of item.words) memory.writeWord(physical(address), value);
  unit.registers.rootTable = item.rootTable;
  const reached = new Set<string>();
  item.requests.forEach((asked, i) => {
    const name = `${item.id}.${i}`;
    const expected = results.get(name);
    if (expected === undefined) return;
    const answer = unit.translate(request(asked.requesterId, asked.write ? 'write' : 'read', asked.address, { size: 8 }), null);
    const verdict = compare(expected, answer, asked, memory);
    totals[verdict]++;
    if (verdict !== 'agree') totals.differences.push(`${name}: recorded ${expected}, we say ${describe(answer)} (${deviationOf(expected, answer, asked, reached) ?? 'nobody knows why'})`);
    if (answer.kind === 'address') reached.add(pageKey(asked, answer.pageSize));
  });
}

const PAGES = [1n << 12n, 1n << 21n, 1n << 30n];
const pageKey = ({ requesterId, address }: Asked, size: bigint): string => `${requesterId} ${size} ${address / size}`;

/**
 * What the emulator does where the manual says something else; the vectors' README has the first, the others follow from
 * how it is built. They stay differences, with this name.
 */
function deviationOf(expected: string, answer: UnitAnswer, asked: Asked, reached: ReadonlySet<string>): string | undefined {
  if (answer.kind === 'interrupt' || (answer.kind === 'fault' && answer.code === 0x87)) return 'interrupt address checks differ';
  if (answer.kind !== 'fault' || !expected.startsWith('OK ')) return undefined;
  const known = PAGES.some((size) => reached.has(pageKey(asked, size)));
  return (answer.code === 0x05 || answer.code === 0x06) && known ? 'a cached translation without permission drops the access and records nothing' : undefined;
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
      && Number.parseInt(fault[3]!, 16) === asked.requesterId && hexadecimal(fault[4]!) === (asked.address & ~0xfffn);
    return same ? 'agree' : 'differ';
  }
  const place = /^OK (pa|wrote)=([0-9a-f,]+)$/.exec(expected);
  if (place !== null) return answer.kind === 'address' && place[2]!.split(',').some((at) => hexadecimal(at) === answer.address) ? 'agree' : 'differ';
  const data = /^OK data=([0-9a-f]+)$/.exec(expected);
  if (data === null && expected !== 'OK wrote=?') return 'unknown';
  if (answer.kind === 'fault') return answer.recorded ? 'differ' : 'agree';
  if (answer.kind !== 'address') return 'agree';
  return hasMarker(answer.address, memory) || (data !== null && isTable(answer.address, memory) && memory.readWord(answer.address) !== hexadecimal(data[1]!)) ? 'differ' : 'agree';
}

const isTable = (address: bigint, memory: PhysicalMemory): boolean => memory.page(Number(address >> 12n)) !== undefined;
/** A read there would have returned the address, a write would have been found there. */
const hasMarker = (address: bigint, memory: PhysicalMemory): boolean => address >= MARKERS_START && address < RAM_END && !isTable(address, memory);

/** Page tables and translation: tables in simulated memory, cold walks unless the name says IOTLB. */
import type { IommuArchitectureName } from '../../server/simulator/description.js';
import type { DeviceEntry, IommuUnit, UnitRequest } from '../../server/simulator/hardware/architecture.js';
import { Iotlb } from '../../server/simulator/hardware/iotlb.js';
import { architectureOf } from '../../server/simulator/hardware/registry.js';
import { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import { iova, kernel, physical, READ_WRITE, request, unitDescription } from '../hardware/request.js';
import { IntervalMap } from '../../server/simulator/memory/interval-map.js';
import type { TraceEvent } from '../../server/simulator/trace/events.js';
import type { Benchmark } from './main.js';

const DEVICE = 0x0300;
/** 65,536 pages in 64 runs, as a machine with scattered buffers. */
const RUNS = 64;
const PAGES_IN_RUN = 1024;
const RUN_DISTANCE = 0x1_4000_0000n;
const LOOKUPS = 200_000;

function createUnit(name: IommuArchitectureName): IommuUnit {
  const entry = architectureOf(name);
  if (!entry.modelled) throw new Error(entry.reason);
  return entry.architecture.createUnit(unitDescription(name), new PhysicalMemory(), kernel(6012));
}

/** A unit with a mapped device, and requests for its pages in an order that no cache helps. */
function prepared(name: IommuArchitectureName, asked = RUNS * PAGES_IN_RUN): { unit: IommuUnit; entry: DeviceEntry; requests: UnitRequest[] } {
  const unit = createUnit(name);
  const table = unit.createPageTable();
  const entry: DeviceEntry = { kind: 'paging', table, domainId: 2, ats: false };
  unit.setDeviceEntry(DEVICE, entry);
  const pages: bigint[] = [];
  for (let run = 0; run < RUNS; run++) {
    for (let page = 0; page < PAGES_IN_RUN; page++) {
      const at = BigInt(run) * RUN_DISTANCE + BigInt(page) * 4096n;
      table.map(iova(at), physical(0x1000_0000n + BigInt((page * 7 + run) % 65_536) * 4096n), 4096n, READ_WRITE);
      pages.push(at);
    }
  }
  let state = 1;
  const requests = Array.from({ length: LOOKUPS }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return request(DEVICE, (state & 1) === 0 ? 'read' : 'write', pages[(state >>> 8) % asked]! + BigInt(state & 0xff8));
  });
  return { unit, entry, requests };
}

/** Seconds of processor time, because the machine has other work. */
export function seconds(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

/** Of this thread alone. */
export function mainThreadSeconds(work: () => void): number {
  const start = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / 1e6;
}

/** Millions per second: the best of several rounds. */
function rate(count: number, round: () => void, rounds = 9): number {
  return count / Math.min(...Array.from({ length: rounds }, () => seconds(round))) / 1e6;
}

const untraced = ({ unit, requests }: ReturnType<typeof prepared>) => (): void => {
  for (const each of requests) if (unit.translate(each, null).kind !== 'address') throw new Error('a mapped page faulted');
};

/** Pages that fit an IOTLB. */
const HOT_PAGES = 256;

/** Look-ups of pages that are all there, in the order of `prepared`. */
function hits(): () => void {
  const iotlb = new Iotlb();
  for (let page = 0; page < HOT_PAGES; page++) iotlb.insert(2, 0xf_ff00 - page, page, 12, 3, DEVICE);
  const frames = Float64Array.from({ length: LOOKUPS }, (_, i) => 0xf_ff00 - (Math.imul(i, 7919) & (HOT_PAGES - 1)));
  return () => {
    let sum = 0;
    for (let i = 0; i < LOOKUPS; i++) sum += iotlb.frameIn(iotlb.find(2, frames[i]!), frames[i]!);
    if (sum === 0) throw new Error('nothing was found');
  };
}

/** The same VT-d tables walked the obvious way, 64-bit words as `bigint`: what the split into halves is worth. */
function bigintWalk(memory: PhysicalMemory, rootTable: bigint, requesterId: number, address: bigint): bigint {
  const rootEntry = memory.readWord(physical(rootTable + BigInt(requesterId >> 8) * 16n));
  const at = (rootEntry & ~0xfffn) + BigInt(requesterId & 255) * 16n;
  let table = memory.readWord(physical(at)) & ~0xfffn;
  for (let level = (memory.readWord(physical(at + 8n)) & 7n) + 2n; level >= 1n; level--) {
    const shift = 12n + 9n * (level - 1n);
    const entry = memory.readWord(physical(table + ((address >> shift) & 511n) * 8n));
    if ((entry & 3n) === 0n) throw new Error('nothing is mapped');
    table = entry & 0xf_ffff_ffff_f000n;
    if (level === 1n || (entry & 0x80n) !== 0n) return table | (address & ((1n << shift) - 1n));
  }
  throw new Error('no leaf');
}

/** Every event and every decoded field of it is looked at, as a trace view would for one walk. */
function traced({ unit, requests }: ReturnType<typeof prepared>, look: (event: TraceEvent) => void): () => void {
  const events: TraceEvent[] = [];
  const sink = { push: (event: TraceEvent): void => void events.push(event) };
  return () => {
    for (const each of requests) {
      events.length = 0;
      unit.translate(each, sink);
      for (const event of events) look(event);
    }
  };
}

export const benchmarks: readonly Benchmark[] = [
  ...(['vtd', 'amd-vi'] as const).map((name): Benchmark => ({
    name: `cold translation, ${name}, 65,536 pages`,
    run: () => ({ value: rate(LOOKUPS, untraced(prepared(name))), unit: 'M/s', goal: 5, better: 'higher', against: 'RISC-V reference model in C: 3.6 to 4.7 M/s' }),
  })),
  {
    name: 'IOTLB hit',
    run: () => ({ value: rate(LOOKUPS, hits()), unit: 'M/s', goal: 30, better: 'higher', against: 'look-up by domain and page; the answer for a device costs two `bigint`s more' }),
  },
  ...(['vtd', 'amd-vi'] as const).map((name): Benchmark => ({
    name: `the same as a whole translation, ${name}`,
    run: () => {
      const set = prepared(name, HOT_PAGES);
      const cold = rate(LOOKUPS, untraced(set));
      set.unit.useIotlb?.();
      set.unit.setDeviceEntry(DEVICE, set.entry);
      return { value: rate(LOOKUPS, untraced(set)), unit: 'M/s', goal: 8, better: 'higher', against: `cold walk of the same pages ${cold.toFixed(1)} M/s` };
    },
  })),
  {
    name: 'cold translation, times a bigint walk of the same tables',
    run: () => {
      const set = prepared('vtd');
      const root = (set.unit as unknown as { readonly registers: { readonly rootTable: bigint } }).registers.rootTable;
      const slow = rate(LOOKUPS, () => { for (const { address } of set.requests) bigintWalk(set.unit.memory, root, DEVICE, address); }, 3);
      return { value: rate(LOOKUPS, untraced(set)) / slow, unit: 'times', goal: 2, better: 'higher', against: `bigint walk ${slow.toFixed(2)} M/s` };
    },
  },
  {
    name: 'cold translation with a trace, vtd',
    run: () => ({ value: rate(LOOKUPS, traced(prepared('vtd'), () => undefined)), unit: 'M/s', goal: 1, better: 'higher', against: 'fields are decoded when somebody looks at them' }),
  },
  {
    name: 'the same, every field of every event decoded',
    run: () => {
      let fields = 0;
      const set = prepared('vtd');
      const value = rate(LOOKUPS, traced(set, (event) => { if (event.kind === 'read') fields += event.fields.length; }), 3);
      return { value, unit: 'M/s', goal: 0.1, better: 'higher', against: `${fields > 0 ? 'all' : 'no'} fields looked at` };
    },
  },
  ...(['vtd', 'amd-vi'] as const).map((name): Benchmark => ({
    name: `1 M map calls of 4 KiB, ${name}`,
    run: () => {
      const table = createUnit(name).createPageTable();
      const value = seconds(() => {
        for (let i = 0n; i < 1_000_000n; i++) table.map(iova(i * 4096n), physical(0x1_0000_0000n + i * 8192n), 4096n, READ_WRITE, 'statement');
      });
      return { value, unit: 's', goal: 2, better: 'lower', against: `${table.runs(1).total.toLocaleString('en')} runs read back` };
    },
  })),
  {
    name: '1 TiB in one call, 1 GiB pages',
    run: () => {
      const table = createUnit('vtd').createPageTable();
      return { value: seconds(() => void table.map(iova(0n), physical(0n), 1n << 40n, READ_WRITE)) * 1000, unit: 'ms', goal: 5, better: 'lower', against: 'entries written, not bytes mapped' };
    },
  },
  {
    name: '1 M insertions into an interval map, scattered',
    run: () => {
      const map = new IntervalMap<number>();
      const value = seconds(() => {
        for (let i = 0; i < 1_000_000; i++) {
          const start = BigInt((i * 7919) % 1_000_003) * 4096n;
          map.insert({ start, last: start + 4095n }, i);
        }
      });
      return { value, unit: 's', goal: 2, better: 'lower', against: `${map.size.toLocaleString('en')} ranges` };
    },
  },
];

/** Short ways to say what the hardware tests say often. */
import type { IommuArchitectureName, IommuDescription } from '../../server/simulator/description.js';
import type { DriverProfile, IommuUnit, UnitRequest } from '../../server/simulator/hardware/architecture.js';
import { iova, physical } from '../../server/simulator/memory/address.js';
import type { PhysicalMemory } from '../../server/simulator/memory/physical-memory.js';
import type { TraceEvent, TraceSink } from '../../server/simulator/trace/events.js';

export const READ_WRITE = { read: true, write: true } as const;

export function unitDescription(architecture: IommuArchitectureName, changes: Partial<IommuDescription> = {}): IommuDescription {
  return {
    id: 'unit0', name: 'unit0', architecture, segment: 0, covers: 'rest', interruptRemapping: true, coherent: true, snoopControl: true, scalableMode: false,
    firstStage: false, nested: false, dirtyTracking: false, passThrough: true, deviceTlb: true, pageRequests: false, cachingMode: false, pasidBits: 0, ...changes,
  };
}

export function kernel(version: number, options: Readonly<Record<string, string>> = {}, log?: (line: string) => void): DriverProfile {
  return { version, commandLine: new Map(Object.entries(options).map(([name, value]) => [name, [value]])), ...(log && { log }) };
}

export function request(requesterId: number, access: UnitRequest['access'], address: bigint, changes: Partial<UnitRequest> = {}): UnitRequest {
  return { requesterId, access, address, size: 4, addressType: 'untranslated', privileged: false, execute: false, ...changes };
}

export class Recorder implements TraceSink {
  readonly events: TraceEvent[] = [];
  push(event: TraceEvent): void {
    this.events.push(event);
  }
  reads(): { address: bigint; words: readonly bigint[] }[] {
    return this.events.filter((event) => event.kind === 'read').map(({ address, words }) => ({ address, words }));
  }
}

/** `poke(memory, { 0x1000n: 1n })`: writes words by hand. */
export function poke(memory: PhysicalMemory, words: Readonly<Record<string, bigint>>): void {
  for (const [address, word] of Object.entries(words)) memory.writeWord(physical(BigInt(address)), word);
}

/** The answer in a few words: "0x1000 rw", "fault 0x06", "interrupt", "blocked". */
export function outcome(unit: IommuUnit, asked: UnitRequest, sink: TraceSink | null = null): string {
  const answer = unit.translate(asked, sink);
  switch (answer.kind) {
    case 'address': return `0x${answer.address.toString(16)} ${answer.read ? 'r' : '-'}${answer.write ? 'w' : '-'}`;
    case 'fault': return `fault 0x${answer.code.toString(16).padStart(2, '0')}${answer.flags !== undefined ? ` flags 0x${answer.flags.toString(16).padStart(3, '0')}` : ''}${answer.recorded ? '' : ' unrecorded'}`;
    case 'interrupt': return `interrupt${answer.vector !== undefined ? ` 0x${answer.vector.toString(16)}` : ''}${answer.remapped ? ' remapped' : ''}`;
    case 'blocked': return 'blocked';
  }
}

export { iova, physical };

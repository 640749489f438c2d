/**
 * QEMU's edu device, which copies between memory and a buffer of its own, and the contents of the guest's memory. Where a
 * request goes is the simulator's answer; bytes move only when it says that they arrive in memory.
 */
import type { DmaDescription } from '../../server/simulator/description.js';
import type { Device } from '../../server/simulator/kernel/core.js';
import { tracedDma } from '../../server/simulator/scenario/dma.js';
import type { Machine } from '../../server/simulator/scenario/machine.js';
import { NotCovered, type Guest } from './kernel-guest.js';
import type { Call, Operation } from './kernel-operations.js';
import type { RecordedOperation } from './kernel-record.js';

const PAGE = 4096n;
/** edu's buffer, and its one BAR. */
const BUFFER_SIZE = 4096;
const BAR_SIZE = 0x10_0000n;

/** Bytes of memory by page, made when first written. */
export class Contents {
  private readonly pages = new Map<bigint, Uint8Array>();
  /** False once somebody may have written that the model did not follow. */
  areKnown = true;

  /** The bytes of [physical, physical+size), which lies in one page. */
  view(physical: bigint, size: number): Uint8Array {
    const frame = physical / PAGE;
    let page = this.pages.get(frame);
    if (page === undefined) this.pages.set(frame, (page = new Uint8Array(Number(PAGE))));
    const offset = Number(physical % PAGE);
    return page.subarray(offset, offset + size);
  }

  /** As the process sees its memory: chunks that do not cross pages. */
  *chunks(guest: Guest, address: bigint, size: bigint): Generator<Uint8Array> {
    for (const piece of guest.process.eachPiece(address, size, { read: true, write: false })) {
      for (let at = 0n; at < piece.size; ) {
        const part = smaller(piece.size - at, PAGE - ((piece.physical + at) % PAGE));
        yield this.view(piece.physical + at, Number(part));
        at += part;
      }
    }
  }
}

const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** The edu devices of one machine. */
export class EduDevices {
  private readonly buffers = new Map<Device, Uint8Array>();

  constructor(
    private readonly machine: Machine,
    private readonly contents: Contents,
  ) {}

  /** One transfer, page by page. @returns the first fault line, if any */
  transfer(device: Device, direction: 'to' | 'from', iova: bigint, size: bigint, bufferOffset: number): string | null {
    let fault: string | null = null;
    for (let at = 0n; at < size; ) {
      const part = smaller(size - at, PAGE - ((iova + at) % PAGE));
      const report = tracedDma(this.machine, request(device, direction, BigInt.asUintN(64, iova + at), part));
      if (report.outcome === 'not-modelled') {
        this.contents.areKnown = false;
        throw new NotCovered('where DMA goes behind this unit');
      }
      fault ??= faultLine(report.fault?.messages);
      if (report.outcome === 'memory' && report.address !== undefined) this.copy(device, direction, report.address, bufferOffset + Number(at), Number(part));
      at += part;
    }
    return fault;
  }

  private copy(device: Device, direction: 'to' | 'from', physical: bigint, offset: number, size: number): void {
    let buffer = this.buffers.get(device);
    if (buffer === undefined) this.buffers.set(device, (buffer = new Uint8Array(BUFFER_SIZE)));
    const inDevice = buffer.subarray(offset, offset + size);
    const inMemory = this.contents.view(physical, size);
    if (direction === 'to') inDevice.set(inMemory.subarray(0, inDevice.length));
    else inMemory.set(inDevice);
  }
}

const request = (device: Device, direction: 'to' | 'from', address: bigint, size: bigint): DmaDescription => ({
  kind: 'dma', id: 'edu', text: 'edu', host: 'host', device: device.subject, access: direction === 'to' ? 'read' : 'write', address, size,
  addressType: 'untranslated', privileged: false, execute: false,
});

/** The line that names the fault; of AMD's only that there is one, because QEMU fills its fields wrongly. */
function faultLine(messages: readonly string[] | undefined): string | null {
  const line = messages?.find((message) => /fault reason|IO_PAGE_FAULT|fault from EP/.test(message));
  if (line === undefined) return null;
  return line.includes('IO_PAGE_FAULT') ? 'IO_PAGE_FAULT' : line;
}

/** Recorded operations as they are compared: the kernel's lines about a fault are an output. */
export const withFault = (recorded: RecordedOperation): RecordedOperation => (recorded.op === 'edu_dma' ? { ...recorded, fault: faultLine(recorded.dmesg) } : recorded);

const number = ({ guest, line }: Call, key: string, otherwise: bigint): bigint => guest.argument(line, key, otherwise);
const bufferAddress = (call: Call): bigint => number(call, 'buf', 0n) + number(call, 'off', 0n);

export const DMA_OPERATIONS: Readonly<Record<string, Operation>> = {
  edu_dma: (call) => {
    const { machine, guest, line } = call;
    const device = machine.openDevice(guest, guest.descriptor(line, 'd'));
    const direction = line.values.get('dir') === 'from' ? 'from' : 'to';
    return { outputs: { fault: machine.edu.transfer(device, direction, number(call, 'iova', 0n), number(call, 'len', 64n), guest.integer(line, 'devoff', 0)) } };
  },
  poke: (call) => {
    for (const chunk of call.machine.contents.chunks(call.guest, bufferAddress(call), number(call, 'len', 64n))) chunk.fill(Number(number(call, 'val', 0xa5n)));
  },
  peek: (call) => {
    if (!call.machine.contents.areKnown) throw new NotCovered('contents after DMA that was not followed');
    const chunks = [...call.machine.contents.chunks(call.guest, bufferAddress(call), number(call, 'len', 16n))];
    return { outputs: { data: chunks.map((chunk) => Buffer.from(chunk).toString('hex')).join('') } };
  },
  mmap_bar: (call) => {
    const { machine, guest, line } = call;
    machine.openDevice(guest, guest.descriptor(line, 'd'));
    guest.map(line.values.get('as') ?? '_bar', BAR_SIZE, undefined, { kind: 'device' });
  },
};

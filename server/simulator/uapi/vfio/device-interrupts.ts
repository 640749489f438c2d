/**
 * Interrupts of a PCI function as its user switches them: VFIO_DEVICE_GET_IRQ_INFO and VFIO_DEVICE_SET_IRQS of vfio-pci.
 * INTx, MSI and MSI-X exclude each other; the error and the request interrupt are VFIO's own and always possible.
 */
import { Refusal } from '../../errno.js';
import type { Device } from '../../kernel/core.js';
import type { KernelProfile } from '../../kernel/profile.js';

/** VFIO_PCI_*_IRQ_INDEX. */
export const IRQ_INDEX = { INTX: 0, MSI: 1, MSIX: 2, ERROR: 3, REQUEST: 4 } as const;
export const IRQ_INDEXES = 5;

/** VFIO_IRQ_INFO_*. */
const IRQ_INFO = { EVENTFD: 1, MASKABLE: 2, AUTOMASKED: 4, NORESIZE: 8 } as const;
const INTX_FLAGS = IRQ_INFO.EVENTFD | IRQ_INFO.MASKABLE | IRQ_INFO.AUTOMASKED;
const MESSAGE_FLAGS = IRQ_INFO.EVENTFD | IRQ_INFO.NORESIZE;

/** VFIO_IRQ_SET_*: what the data behind the request is, and what shall be done. */
export const IRQ_SET = { SIZE: 20, DATA_NONE: 1, DATA_BOOL: 2, DATA_EVENTFD: 4, MASK: 8, UNMASK: 16, TRIGGER: 32, ANY_DATA: 7, ANY_ACTION: 56, ANY: 63 } as const;

/** `struct vfio_irq_info`. */
export interface IrqInfo {
  readonly flags: number;
  readonly count: number;
}

/** `struct vfio_irq_set`. */
export interface IrqRequest {
  /** Bytes with the data; absent = as many as the data need. */
  readonly argsz?: number;
  readonly flags: number;
  readonly index: number;
  readonly start: number;
  readonly count: number;
}

const invalid = (reason: string): Refusal => new Refusal('EINVAL', 'VFG-16', reason);

/** How many interrupts of an index the function has; of messages only "some" is described, which counts as one MSI. */
function irqCount(device: Device, index: number, errors: ErrorInterrupts): number {
  if (index === IRQ_INDEX.REQUEST || device.kind !== 'pci') return index === IRQ_INDEX.REQUEST ? 1 : 0;
  const { description } = device;
  if (index === IRQ_INDEX.INTX) return description.virtualFunction === undefined ? 1 : 0;
  if (index === IRQ_INDEX.MSI) return description.msi ? 1 : 0;
  return index === IRQ_INDEX.ERROR && hasErrors(device, errors) ? 1 : 0;
}

const CONVENTIONAL: ReadonlySet<string> = new Set(['pci', 'pci-bridge']);
export const isExpress = (device: Device): boolean => device.kind === 'pci' && !CONVENTIONAL.has(device.description.type);

type ErrorInterrupts = KernelProfile['errorInterrupts'];
const hasErrors = (device: Device, errors: ErrorInterrupts): boolean => errors === 'all' || isExpress(device);

/** @throws Refusal EINVAL */
export function irqInfo(device: Device, index: number, errors: ErrorInterrupts): IrqInfo {
  if (index >= IRQ_INDEXES || (index === IRQ_INDEX.ERROR && !hasErrors(device, errors))) throw invalid(`${device.name} has no interrupts of index ${index}`);
  return { flags: index === IRQ_INDEX.INTX ? INTX_FLAGS : MESSAGE_FLAGS, count: irqCount(device, index, errors) };
}

export class DeviceInterrupts {
  /** Which of INTx, MSI and MSI-X is enabled. */
  private enabled: number | null = null;
  private vectors = 0;
  /** Of the error and the request interrupt: those that the user gave an event. */
  private readonly single = new Set<number>();

  constructor(
    private readonly device: Device,
    private readonly errors: ErrorInterrupts,
  ) {}

  /** VFG-23: the user has an event for "please let go of the device". */
  get relaysRequests(): boolean {
    return this.single.has(IRQ_INDEX.REQUEST);
  }

  /** VFIO_DEVICE_SET_IRQS. @throws Refusal EINVAL, ENOTTY */
  set(request: IrqRequest): void {
    this.check(request);
    const { index, flags } = request;
    const isTrigger = (flags & IRQ_SET.ANY_ACTION) === IRQ_SET.TRIGGER;
    if (!isOneBit(flags & IRQ_SET.ANY_ACTION)) throw new Refusal('ENOTTY', 'VFG-17', 'the flags must name one action');
    if (!isTrigger && index !== IRQ_INDEX.INTX) throw new Refusal('ENOTTY', 'VFG-17', `interrupts of index ${index} cannot be masked`);
    if (index === IRQ_INDEX.ERROR || index === IRQ_INDEX.REQUEST) this.setSingle(request);
    else this.setShared(request, isTrigger);
  }

  /** The device is closed for the last time. */
  reset(): void {
    this.enabled = null;
    this.vectors = 0;
    this.single.clear();
  }

  private check({ argsz, flags, index, start, count }: IrqRequest): void {
    if ((argsz ?? IRQ_SET.SIZE) < IRQ_SET.SIZE || (flags & ~IRQ_SET.ANY) !== 0) throw invalid('the request is too small or has unknown flags');
    if (index >= IRQ_INDEXES) throw invalid(`there are no interrupts of index ${index}`);
    const most = irqCount(this.device, index, this.errors);
    if (start >= most || start + count > most) throw invalid(`${this.device.name} has ${most} interrupts of index ${index}`);
    if (!isOneBit(flags & IRQ_SET.ANY_DATA)) throw invalid('the flags must name one kind of data');
    if (argsz !== undefined && argsz - IRQ_SET.SIZE < count * dataSize(flags)) throw invalid('the data are not all there');
  }

  /** INTx, MSI, MSI-X: one at a time; `count` 0 without data switches off. */
  private setShared({ flags, index, start, count }: IrqRequest, isTrigger: boolean): void {
    const isMine = this.enabled === index;
    const isEvent = (flags & IRQ_SET.DATA_EVENTFD) !== 0;
    if (isTrigger && isMine && count === 0 && (flags & IRQ_SET.DATA_NONE) !== 0) return this.disable();
    if (this.enabled !== null && !isMine) throw invalid('the function has interrupts of another kind enabled');
    if (!isMine && !(isTrigger && isEvent)) throw invalid('these interrupts are not enabled');
    if (index === IRQ_INDEX.INTX && (start !== 0 || count !== 1)) throw invalid('a function has one INTx interrupt');
    if (!isEvent && start + count > this.vectors) throw invalid(`only ${this.vectors} vectors are enabled`);
    if (!isTrigger) return;
    this.enabled = index;
    if (!isMine) this.vectors = start + count;
  }

  /** The error or the request interrupt: without data its event is fired, or with `count` 0 taken away; else it gets one. */
  private setSingle({ flags, index, count }: IrqRequest): void {
    const hasData = (flags & IRQ_SET.DATA_NONE) === 0;
    if (hasData ? count === 0 : !this.single.has(index)) throw invalid(hasData ? 'there must be one event' : 'this interrupt has no event');
    if ((flags & IRQ_SET.DATA_EVENTFD) !== 0) this.single.add(index);
    else if (count === 0) this.single.delete(index);
  }

  private disable(): void {
    this.enabled = null;
    this.vectors = 0;
  }
}

const isOneBit = (value: number): boolean => value !== 0 && (value & (value - 1)) === 0;
const dataSize = (flags: number): number => ((flags & IRQ_SET.DATA_EVENTFD) !== 0 ? 4 : (flags & IRQ_SET.DATA_BOOL) !== 0 ? 1 : 0);

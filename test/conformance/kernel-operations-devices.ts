/** Recorded operations on open devices: regions, interrupts, resets. */
import { hex } from '../../server/simulator/memory/address.js';
import { NotCovered } from './kernel-guest.js';
import type { Call, Operation } from './kernel-operations.js';

const fd = ({ guest, line }: Call, key: string): number => guest.descriptor(line, key);
const integer = ({ guest, line }: Call, key: string, otherwise: number): number => guest.integer(line, key, otherwise);

/** VFIO_IRQ_SET_DATA_EVENTFD and VFIO_IRQ_SET_ACTION_TRIGGER: what the probe sends unless told otherwise. */
const EVENT = 0x24;
const FIRST_UNDESCRIBED_REGION = 6;
/** VFIO_PCI_HOT_RESET_FLAG_DEV_ID: devices are told by their iommufd ids and not by their groups. */
const FLAG_DEV_ID = 1;
/** A number that no file of VFIO or iommufd knows. */
const UNKNOWN_IOCTL = 0x3bff;

/** What is in a register is the device's. */
const contentOf: Operation = (call) => {
  call.machine.vfio.deviceCalls.open(call.guest.process, fd(call, 'd'));
  throw new NotCovered('contents of registers');
};

export const DEVICE_OPERATIONS: Readonly<Record<string, Operation>> = {
  region_info: (call) => {
    const index = integer(call, 'index', 0);
    const { flags, size, offset } = call.machine.vfio.deviceCalls.region(call.guest.process, fd(call, 'd'), index, integer(call, 'argsz', 32));
    // The inventory does not say which BARs a function has.
    return { outputs: index <= FIRST_UNDESCRIBED_REGION ? { offset: hex(offset) } : { flags, size: hex(size), offset: hex(offset) } };
  },
  irq_info: (call) => ({ outputs: { ...call.machine.vfio.deviceCalls.irq(call.guest.process, fd(call, 'd'), integer(call, 'index', 0), integer(call, 'argsz', 16)) } }),
  set_irqs: (call) => call.machine.vfio.deviceCalls.setIrqs(call.guest.process, fd(call, 'd'), {
    flags: integer(call, 'flags', EVENT), index: integer(call, 'index', 0), start: integer(call, 'start', 0), count: integer(call, 'count', 1),
  }),
  hot_reset_info: (call) => {
    const { flags, affected } = call.machine.vfio.deviceCalls.hotResetInfo(call.guest.process, fd(call, 'd'));
    if ((flags & FLAG_DEV_ID) === 0) call.machine.wantGroupNumbers();
    return { outputs: { flags, deps: affected.map(({ device, id }) => ({ group_or_devid: id, bdf: device.name })) } };
  },
  hot_reset: (call) => {
    const names = (call.line.values.get('groups') ?? '').split(',').filter((name) => name !== '');
    call.machine.vfio.deviceCalls.hotReset(call.guest.process, fd(call, 'd'), names.map((name) => Number(BigInt.asIntN(32, call.guest.number(name)))));
    // QEMU's link does not come back in time.
    if (call.recorded.errno === 'ENOTTY') throw new NotCovered('a reset that QEMU does not finish');
  },
  bar_read: contentOf,
  cfg_read: contentOf,
  raw: (call) => {
    if (integer(call, 'cmd', 0) !== UNKNOWN_IOCTL) throw new NotCovered('requests byte by byte');
    call.machine.vfio.unknownIoctl(call.guest.process, fd(call, 'fd'));
  },
};

/** Lines as the kernel's log shows them, without time stamp. */
import type { Device } from './core.js';

/** `dev_info` and friends: the driver's name, or the bus's for a device without driver, then the device. */
export const deviceLine = (device: Pick<Device, 'driver' | 'bus' | 'name'>, text: string): string => `${device.driver ?? device.bus} ${device.name}: ${text}`;

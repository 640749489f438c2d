/** VFIO_DEVICE_FEATURE of vfio-pci: what a user may ask (PROBE), read (GET) or write (SET), by number. */
import { Refusal } from '../../errno.js';
import type { VfioDevice } from './registry.js';
import { setToken } from './vf-token.js';

/** VFIO_DEVICE_FEATURE_* by the words of the `device-feature` step. */
export const FEATURES: ReadonlyMap<string, number> = new Map([
  ['vf-token', 0], ['migration', 1], ['migration-state', 2], ['low-power-entry', 3], ['low-power-entry-with-wakeup', 4], ['low-power-exit', 5],
  ['dma-logging-start', 6], ['dma-logging-stop', 7], ['dma-logging-report', 8], ['migration-data-size', 9], ['bus-master', 10],
]);
const LOW_POWER: ReadonlySet<number> = new Set([3, 4]);
const VF_TOKEN = 0;
const LOW_POWER_EXIT = 5;

export const FEATURE_FLAG = { GET: 1 << 16, SET: 1 << 17, PROBE: 1 << 18 } as const;

export interface FeatureRequest {
  readonly feature: number;
  /** FEATURE_FLAG bits. */
  readonly flags: number;
  /** With the VF token: the UUID. */
  readonly token?: string;
}

const invalid = (reason: string): Refusal => new Refusal('EINVAL', 'VFG-30', reason);

/** @param lowPower the kernel lets a user put the device to sleep (>= 6.1) @throws Refusal ENOTTY, EINVAL */
export function deviceFeature(vfioDevice: VfioDevice, request: FeatureRequest, lowPower: boolean): void {
  const { device } = vfioDevice;
  const { feature, flags } = request;
  const isProbe = (flags & FEATURE_FLAG.PROBE) !== 0;
  if (!isProbe && (flags & FEATURE_FLAG.GET) !== 0 && (flags & FEATURE_FLAG.SET) !== 0) throw invalid('a feature is read or written, not both at once');
  const hasToken = device.kind === 'pci' && device.description.sriov !== undefined;
  const isPower = LOW_POWER.has(feature) || feature === LOW_POWER_EXIT;
  if (!(feature === VF_TOKEN && hasToken) && !(isPower && lowPower)) {
    throw new Refusal('ENOTTY', 'VFG-17', `the driver of ${device.name} does not have this feature`, [device.subject]);
  }
  if ((flags & FEATURE_FLAG.GET) !== 0) throw invalid('this feature can be written only: a token that could be read would give away what the last user chose');
  if (isProbe) return;
  if ((flags & FEATURE_FLAG.SET) === 0) throw invalid('neither GET nor SET nor PROBE was asked for');
  if (feature === VF_TOKEN) setToken(vfioDevice, request.token ?? '');
  else sleep(vfioDevice, LOW_POWER.has(feature));
}

/** @throws Refusal EINVAL when it sleeps already */
function sleep(vfioDevice: VfioDevice, falls: boolean): void {
  if (falls && vfioDevice.asleep) throw invalid(`${vfioDevice.device.name} is in low power already`);
  vfioDevice.asleep = falls;
}

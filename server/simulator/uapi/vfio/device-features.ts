/** VFIO_DEVICE_FEATURE of vfio-pci: what a user may ask (PROBE), read (GET) or write (SET), by number. */
import { Refusal } from '../../errno.js';
import type { KernelProfile } from '../../kernel/profile.js';
import { exportMemory, giveBuffersBack, revokeBuffers, wantExporter } from './dma-buf.js';
import type { VfioDevice } from './registry.js';
import { setToken } from './vf-token.js';

/** VFIO_DEVICE_FEATURE_* by the words of the `device-feature` step. */
export const FEATURES: ReadonlyMap<string, number> = new Map([
  ['vf-token', 0], ['migration', 1], ['migration-state', 2], ['low-power-entry', 3], ['low-power-entry-with-wakeup', 4], ['low-power-exit', 5],
  ['dma-logging-start', 6], ['dma-logging-stop', 7], ['dma-logging-report', 8], ['migration-data-size', 9], ['bus-master', 10], ['dma-buf', 11],
]);
const LOW_POWER: ReadonlySet<number> = new Set([3, 4]);
const VF_TOKEN = 0;
const LOW_POWER_EXIT = 5;
export const DMA_BUF = 11;

export const FEATURE_FLAG = { GET: 1 << 16, SET: 1 << 17, PROBE: 1 << 18 } as const;

export interface FeatureRequest {
  readonly feature: number;
  /** FEATURE_FLAG bits. */
  readonly flags: number;
  /** With the VF token: the UUID. */
  readonly token?: string;
}

const invalid = (reason: string): Refusal => new Refusal('EINVAL', 'VFG-30', reason);

/** @throws Refusal ENOTTY, EINVAL, EOPNOTSUPP */
export function deviceFeature(vfioDevice: VfioDevice, request: FeatureRequest, profile: KernelProfile): void {
  const { feature, flags } = request;
  wantFeature(vfioDevice, request, profile);
  if ((flags & FEATURE_FLAG.PROBE) !== 0) return;
  if (feature === VF_TOKEN) setToken(vfioDevice, request.token ?? '');
  else if (feature === DMA_BUF) exportMemory(vfioDevice, { region: 0, start: 0n, size: 0n, ranges: 0 });
  else sleep(vfioDevice, LOW_POWER.has(feature));
}

/** Is there the feature, and can that be done with it? @throws Refusal EINVAL, ENOTTY, EOPNOTSUPP */
export function wantFeature(vfioDevice: VfioDevice, { feature, flags }: FeatureRequest, profile: KernelProfile): void {
  const [get, set, probe] = [FEATURE_FLAG.GET, FEATURE_FLAG.SET, FEATURE_FLAG.PROBE].map((flag) => (flags & flag) !== 0);
  if (!probe && get && set) throw invalid('a feature is read or written, not both at once');
  if (!hasFeature(vfioDevice, feature, profile)) throw new Refusal('ENOTTY', 'VFG-17', `the driver of ${vfioDevice.device.name} does not have this feature`, [vfioDevice.device.subject]);
  if (feature === DMA_BUF) wantExporter(vfioDevice);
  if (feature === DMA_BUF ? set : get) throw invalid(feature === DMA_BUF ? 'a buffer is asked for, not written' : 'this feature can be written only: a token that could be read would give away what the last user chose');
  if (!probe && !get && !set) throw invalid('neither GET nor SET nor PROBE was asked for');
}

function hasFeature({ device }: VfioDevice, feature: number, { deviceLowPower, deviceBuffers }: KernelProfile): boolean {
  if (device.kind !== 'pci') return false;
  if (feature === VF_TOKEN) return device.description.sriov !== undefined;
  return feature === DMA_BUF ? deviceBuffers : deviceLowPower && (LOW_POWER.has(feature) || feature === LOW_POWER_EXIT);
}

/** Who sleeps has no memory: what was exported of it is taken back until it wakes up. @throws Refusal EINVAL when it sleeps already */
function sleep(vfioDevice: VfioDevice, falls: boolean): void {
  if (falls) revokeBuffers(vfioDevice);
  if (falls && vfioDevice.asleep) throw invalid(`${vfioDevice.device.name} is in low power already`);
  vfioDevice.asleep = falls;
  if (!falls) giveBuffersBack(vfioDevice);
}

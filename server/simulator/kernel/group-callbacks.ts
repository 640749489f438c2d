/**
 * Groups of devices that are not on PCI: what each IOMMU driver's own callback says (sections 3.2 and 3.3). PCI functions are grouped by
 * topology, whatever the driver (GRD-01, GRD-21).
 */
import type { IommuArchitectureName, IommuDescription, PlatformDeviceDescription, SubjectId } from '../description.js';

export interface PlatformPlacement {
  readonly device: SubjectId;
  /** Devices with the same key share a group; null: the driver takes it not at all, so it has none. */
  readonly key: string | null;
  /** Why not, and the line in the log. */
  readonly refusal?: { readonly why: string; readonly message: string };
}

/** The device before this one, on the same unit, that has one of its stream IDs. */
type Sharing = { readonly device: PlatformDeviceDescription; readonly streamId: number } | null;
type Callback = (device: PlatformDeviceDescription, sharing: Sharing) => Omit<PlatformPlacement, 'device'>;

/** GRP-30: `generic_device_group`. */
const alone: Callback = (device) => ({ key: device.id });

/** GRD-02: all entries of the ACPI device map with the same device ID share one group. */
const byDeviceId: Callback = (device) => ({ key: device.streamIds[0] === undefined ? device.id : `device ID ${device.streamIds[0]}` });

/** GRD-03: a stream ID that another device has makes the probe fail (ENODEV). */
const byUniqueStream: Callback = (device, sharing) => {
  if (sharing === null) return { key: device.id };
  const id = `0x${sharing.streamId.toString(16)}`;
  return {
    key: null,
    refusal: {
      why: `its stream ID ${id} is that of ${sharing.device.name}, which the SMMU's driver does not support`,
      message: `platform ${device.name}: Aliasing StreamID ${id} (from ${sharing.device.name}) unsupported, expect DMA to be broken`,
    },
  };
};

/** Which driver uses what: GRD-01, GRD-02, GRD-03, GRD-10. */
const CALLBACKS: Readonly<Record<IommuArchitectureName, Callback>> = { vtd: alone, 'amd-vi': byDeviceId, smmuv3: byUniqueStream, 'virtio-iommu': alone, 'riscv-iommu': alone };

/** In the order of probing. @param unitOf every device has one (GRD-20: without, it is asked by nobody) */
export function* platformPlacements(devices: readonly PlatformDeviceDescription[], unitOf: (device: SubjectId) => IommuDescription): Generator<PlatformPlacement> {
  const streams = new Map<string, PlatformDeviceDescription>();
  for (const device of devices) {
    const unit = unitOf(device.id);
    const streamId = device.streamIds.find((id) => streams.has(`${unit.id} ${id}`));
    const sharing = streamId === undefined ? null : { device: streams.get(`${unit.id} ${streamId}`)!, streamId };
    const placement = CALLBACKS[unit.architecture](device, sharing);
    if (sharing === null) for (const id of device.streamIds) streams.set(`${unit.id} ${id}`, device);
    yield { device: device.id, ...placement, key: placement.key === null ? null : `${unit.id} ${placement.key}` };
  }
}

/** Device features that a driver switches on before it uses them (FEA-01, FEA-02), and what the VT-d driver wants for each. */
import { Refusal } from '../errno.js';
import type { AttachRules, DeviceFeature } from './attach-history.js';
import type { Device } from './core.js';

/** `iommu_dev_enable_feature`. @throws Refusal ENOSYS, ENODEV, EINVAL, EBUSY */
export function enableFeature(rules: AttachRules, device: Device, feature: DeviceFeature): void {
  if (rules.features.length === 0) throw new Refusal('ENOSYS', 'FEA-01', 'this kernel has no iommu_dev_enable_feature(): what is attached decides');
  if (device.unit === null) throw refusal('ENODEV', 'FEA-01', device, `${device.name} has no IOMMU`);
  if (!rules.features.includes(feature)) throw refusal('ENODEV', 'FEA-01', device, `this kernel knows no feature ${feature}`);
  if (feature !== 'iopf' && device.features?.has(feature)) return;
  ENABLE[feature](device);
  (device.features ??= new Set()).add(feature);
}

/** `iommu_dev_disable_feature`. @throws Refusal ENOSYS, EBUSY, EINVAL */
export function disableFeature(rules: AttachRules, device: Device, feature: DeviceFeature): void {
  if (rules.features.length === 0) throw new Refusal('ENOSYS', 'FEA-01', 'this kernel has no iommu_dev_disable_feature()');
  if (!device.features?.has(feature)) throw refusal('EINVAL', 'FEA-01', device, `the feature ${feature} of ${device.name} is off`);
  if (feature === 'iopf') {
    if (device.features.has('sva')) throw refusal('EBUSY', 'IOPF-02', device, `shared addresses of ${device.name} still need its page requests`);
    device.priEnabled = false;
  }
  device.features.delete(feature);
}

const ENABLE: Readonly<Record<DeviceFeature, (device: Device) => void>> = {
  aux: (device) => {
    if (!translatesPasids(device)) throw refusal('EINVAL', 'FEA-02', device, `${device.unit?.description.name} is not in scalable mode or has no PASIDs`);
    if (!device.pasidEnabled) throw refusal('ENODEV', 'FEA-02', device, `PASID of ${device.name} cannot be switched on`);
  },
  sva: (device) => checkSharesAddresses(device, 'FEA-01'),
  iopf: (device) => {
    if (device.kind !== 'pci' || !device.description.pri || !device.unit?.description.pageRequests) throw refusal('ENODEV', 'IOPF-02', device, `${device.name} or its IOMMU has no page requests`);
    if (device.priEnabled) throw refusal('EBUSY', 'IOPF-02', device, `page requests of ${device.name} have a queue already`);
    if (!device.atsEnabled) throw refusal('EINVAL', 'IOPF-02', device, `ATS of ${device.name} is off`);
    device.priEnabled = true;
  },
};

/**
 * May the device walk the addresses of a process? A unit of VT-d wants scalable mode with first-stage tables, PASID and ATS on, and page
 * requests on where the function has them: so iopf comes before sva. @throws Refusal ENODEV, EINVAL
 */
export function checkSharesAddresses(device: Device, rule: string): void {
  const { unit } = device;
  const asks = unit?.capabilities().processTables;
  if (asks !== undefined) return checkPasidIsEnough(device, asks, rule);
  if (unit === null || !translatesPasids(device) || !unit.description.firstStage || unit.createProcessTable === undefined) {
    throw refusal('ENODEV', rule, device, `${unit?.description.name ?? 'no IOMMU'} walks no tables of processes: that takes scalable mode, first-stage tables and PASIDs`);
  }
  if (!device.pasidEnabled || !device.atsEnabled) throw refusal('EINVAL', rule, device, `${device.pasidEnabled ? 'ATS' : 'PASID'} of ${device.name} is off`);
  if (device.kind === 'pci' && device.description.pri && !device.priEnabled) throw refusal('EINVAL', rule, device, `page requests of ${device.name} are off; the feature iopf comes first`);
}

/**
 * AMD-Vi asks for less: PASIDs that are on. Whether the device has a GCR3 table is found when it is attached (PAS-16). Before it knew the
 * domains of processes at all, the core found out by allocating one (SVA-02).
 */
function checkPasidIsEnough(device: Device, asks: 'with-pasids' | 'never', rule: string): void {
  const name = device.unit?.description.name;
  if (asks === 'never') throw refusal(rule === 'SVA-02' ? 'ENOMEM' : 'ENODEV', rule, device, `the driver of ${name} has no domains of processes in this kernel`);
  if (device.unit?.createProcessTable === undefined) throw refusal('EINVAL', rule, device, `the driver of ${name} uses no PASIDs: the unit lacks them or page requests`);
  if (!device.pasidEnabled) throw refusal('EINVAL', rule, device, `PASID of ${device.name} is off`);
}

const translatesPasids = ({ unit }: Device): boolean => (unit?.capabilities().maxPasids ?? 0) > 0;

const refusal = (errno: 'ENODEV' | 'EINVAL' | 'EBUSY' | 'ENOMEM', rule: string, device: Device, why: string): Refusal => new Refusal(errno, rule, why, [device.subject]);

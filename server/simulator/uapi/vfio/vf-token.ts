/** VFIO_GROUP_GET_DEVICE_FD's string: a device name, and for SR-IOV a token that PF and VF owners share (VFG-30). */
import { Refusal } from '../../errno.js';
import type { VfioDevice, VfioGroup, VfioRegistry } from './registry.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The current token of a physical function, once somebody gave one. */
const tokens = new WeakMap<VfioDevice, string>();

/** VFIO_DEVICE_FEATURE_PCI_VF_TOKEN of a physical function. @throws Refusal EINVAL */
export function setToken(pf: VfioDevice, token: string): void {
  if (!UUID.test(token)) throw new Refusal('EINVAL', 'VFG-30', 'the token is no UUID', [pf.device.subject]);
  tokens.set(pf, token.toLowerCase());
}

/** @throws Refusal ENODEV, EINVAL, EACCES */
export function matchByName(registry: VfioRegistry, group: VfioGroup, text: string): VfioDevice {
  const [name, ...options] = text.split(' ');
  const found = [...group.members].find((member) => member.device.name === name && !member.leaving);
  if (found === undefined) throw new Refusal('ENODEV', 'VFG-16', `${name} is not a VFIO device of group ${group.nodeName}`, group.subjects());
  if (found.device.kind === 'pci') checkToken(registry, found, tokenIn(options));
  return found;
}

function tokenIn(options: readonly string[]): string | null {
  if (options.length === 0) return null;
  const given = /^vf_token=(.*)$/.exec(options.join(' '))?.[1];
  if (given === undefined || !UUID.test(given)) throw new Refusal('EINVAL', 'VFG-30', 'only vf_token=UUID may follow the device name');
  return given.toLowerCase();
}

/** VFG-30, for a name's option or for a character device's bind. `given`: the UUID, null without. @throws Refusal EINVAL, EACCES */
export function checkToken(registry: VfioRegistry, vfioDevice: VfioDevice, given: string | null): void {
  const { device } = vfioDevice;
  if (device.kind !== 'pci') return;
  if (device.description.virtualFunction !== undefined) return checkVirtualFunction(registry, vfioDevice, device.description.virtualFunction.of, given);
  if (device.description.sriov === undefined) {
    if (given !== null) throw new Refusal('EINVAL', 'VFG-30', `${device.name} is neither a physical nor a virtual function of SR-IOV`, [device.subject]); // VFG-30e
    return;
  }
  if (virtualFunctionsInUse(registry, device.subject)) compare(vfioDevice, vfioDevice, given); // VFG-30c
  if (given !== null) tokens.set(vfioDevice, given); // VFG-30d
}

function checkVirtualFunction(registry: VfioRegistry, vf: VfioDevice, physical: string, given: string | null): void {
  const pf = registry.bySubject(physical);
  if (pf !== undefined) return compare(vf, pf, given); // VFG-30b
  if (given !== null) throw new Refusal('EINVAL', 'VFG-30', `the physical function of ${vf.device.name} is not bound to a VFIO driver`, [vf.device.subject]); // VFG-30a
}

function compare(asked: VfioDevice, pf: VfioDevice, given: string | null): void {
  if (given !== null && given === tokens.get(pf)) return;
  throw new Refusal('EACCES', 'VFG-30', given === null ? `${asked.device.name} wants the VF token` : `the VF token for ${asked.device.name} is wrong`, [asked.device.subject, pf.device.subject]);
}

const virtualFunctionsInUse = (registry: VfioRegistry, physical: string): boolean =>
  registry.registered().some(({ device, openCount }) => openCount > 0 && device.kind === 'pci' && device.description.virtualFunction?.of === physical);

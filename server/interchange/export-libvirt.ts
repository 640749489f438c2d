/** The domain XML of a VM for libvirt, as far as its devices and its memory go. */
import type { FunctionDescription, PciAddress } from '../simulator/description.js';
import { ADDRESSES_MOVE, leftOut, memoryOf, sharedGroups, titleOf, type BoundFunction, type Exported, type ExportPlan } from './export-plan.js';
import { comment, element, printElement, type Element } from './xml.js';

const UNITS: readonly (readonly [string, bigint])[] = [['GiB', 1n << 30n], ['MiB', 1n << 20n], ['KiB', 1n << 10n]];

/** A size in the largest unit that divides it. */
function sized(name: string, bytes: bigint): Element {
  const [unit, size] = UNITS.find(([, each]) => bytes % each === 0n) ?? ['b', 1n];
  return element(name, { unit }, `${bytes / size}`);
}

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;
const hostAddress = ({ segment, bus, device, function: fn }: PciAddress): Element =>
  element('address', { domain: hex(segment, 4), bus: hex(bus, 2), slot: hex(device, 2), function: hex(fn, 1) });

function rom({ guestRom }: FunctionDescription): Element[] {
  if (guestRom === undefined) return [];
  return [guestRom === 'none' ? element('rom', { bar: 'off' }) : element('rom', { file: guestRom.file })];
}

function hostdev({ owner }: ExportPlan, { fn, driver }: BoundFunction): Element {
  const driverAttributes = { model: driver === 'vfio-pci' ? undefined : driver.replaceAll('-', '_'), iommufd: owner.through === 'iommufd' ? 'yes' : undefined };
  const hasDriver = Object.values(driverAttributes).some((each) => each !== undefined);
  return element('hostdev', { mode: 'subsystem', type: 'pci', managed: owner.managed === false ? 'no' : 'yes' }, [
    ...(hasDriver ? [element('driver', driverAttributes)] : []), element('source', {}, [hostAddress(fn.address)]), ...rom(fn),
  ]);
}

const isArm = ({ host }: ExportPlan): boolean => host.kernel.cpuVendor === 'arm';
const isIntel = ({ host }: ExportPlan): boolean => host.iommus.some((unit) => unit.architecture === 'vtd');

function virtualIommu(plan: ExportPlan): Element[] {
  if (plan.owner.virtualIommu !== true) return [];
  return [isIntel(plan) ? element('iommu', { model: 'intel' }, [element('driver', { intremap: 'on', caching_mode: 'on' })]) : element('iommu', { model: 'virtio' })];
}

function controllers(plan: ExportPlan): Element[] {
  const { pciWindow } = plan.owner;
  return pciWindow === undefined ? [] : [element('controller', { type: 'pci', index: '0', model: 'pcie-root' }, [element('pcihole64', { unit: 'KiB' }, `${pciWindow >> 10n}`)])];
}

function cpu({ owner }: ExportPlan): Element {
  return element('cpu', { mode: 'host-passthrough' }, owner.addressWidth === undefined ? [] : [element('maxphysaddr', { mode: 'passthrough', limit: String(owner.addressWidth) })]);
}

export function exportLibvirt(plan: ExportPlan): Exported {
  const { owner, host, assigned } = plan;
  const { size, first } = memoryOf(plan);
  const wantsSplit = owner.virtualIommu === true && isIntel(plan);
  const domain = element('domain', { type: 'kvm' }, [
    element('name', {}, owner.name), sized('memory', size),
    ...(owner.memlock === undefined ? [] : [element('memtune', {}, [sized('hard_limit', owner.memlock)])]),
    ...(first?.kind === 'hugetlb' ? [element('memoryBacking', {}, [element('hugepages')])] : []),
    element('os', {}, [element('type', isArm(plan) ? { arch: 'aarch64', machine: 'virt' } : { arch: 'x86_64', machine: 'q35' }, 'hvm')]),
    element('features', {}, [element('acpi'), ...(wantsSplit ? [element('ioapic', { driver: 'qemu' })] : [])]),
    cpu(plan),
    element('devices', {}, [...controllers(plan), ...virtualIommu(plan), ...assigned.map((each) => hostdev(plan, each))]),
  ]);
  return {
    text: `${comment(`${owner.name} on ${host.name}: ${assigned.map(({ fn }) => titleOf(fn)).join(', ')}`)}\n${printElement(domain)}\n`,
    notes: [...notesOf(plan), ...leftOut(plan), 'Processors, disks, network and display are not described; add them.', ADDRESSES_MOVE],
  };
}

function notesOf(plan: ExportPlan): string[] {
  const { owner, assigned } = plan;
  return [
    ...memoryOf(plan).notes,
    ...(owner.through === 'iommufd' ? ["<driver iommufd='yes'/> wants a libvirt of 2026 or newer; older ones refuse it, or use type1 without a word."] : []),
    ...(owner.through === 'iommufd-container' ? ['libvirt is not told of iommufd here: /dev/vfio/vfio is one where the kernel has CONFIG_IOMMUFD_VFIO_CONTAINER.'] : []),
    ...assigned.flatMap(({ fn: { guestRom } }) => (typeof guestRom !== 'object' || guestRom.file.startsWith('/') ? [] : [`libvirt wants the whole path of ${guestRom.file}.`])),
    ...bindingNotes(plan),
    ...(sharedGroups(plan).size === 0 ? [] : ['Devices of one group need one guest address space: put them behind a <controller type=\'pci\' model=\'pcie-to-pci-bridge\'/> by their <address>.']),
    ...(owner.pciWindow === undefined ? [] : ['OVMF hears of the window by opt/ovmf/X-PciMmio64Mb only, which wants <qemu:commandline>.']),
    ...(owner.user === undefined ? [] : [`libvirt runs QEMU as the user of its own configuration (qemu.conf), not as ${owner.user}.`]),
    ...(owner.capabilities.length === 0 ? [] : [`Capabilities (${owner.capabilities.join(', ')}) are libvirt's affair.`]),
  ];
}

/** What must be bound before libvirt starts the VM. */
function bindingNotes({ owner, bound, assigned }: ExportPlan): string[] {
  const left = owner.managed === false ? bound : bound.filter(({ fn }) => !assigned.some((each) => each.fn === fn));
  if (left.length === 0) return [];
  const binds = owner.managed === false ? "managed='no' binds nothing" : "managed='yes' binds assigned devices only";
  return [`${binds}: bind ${left.map(({ fn }) => titleOf(fn)).join(', ')} beforehand (see the export driverctl).`];
}

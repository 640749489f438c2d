/** The command that starts a VM with QEMU, as far as its devices and its memory go. */
import { sizeWord } from '../simulator/memory/sizes.js';
import { ADDRESSES_MOVE, cardsOf, groupOf, leftOut, memoryOf, sharedGroups, titleOf, type BoundFunction, type Exported, type ExportPlan } from './export-plan.js';
import { formatAddress } from './pci-address.js';
import { continued, shellWord } from './shell.js';

const MIB = 1n << 20n;
const KIB = 1n << 10n;

/** In QEMU's option values a comma is written twice. */
const value = (text: string): string => text.replaceAll(',', ',,');

/** `16G`: the largest unit that QEMU knows. */
const qemuSize = (bytes: bigint): string => sizeWord(bytes).replace(/iB$/, '');

interface Emulator {
  readonly program: string;
  readonly machine: string;
  readonly virtualIommu: string;
}

function emulatorFor({ host, owner }: ExportPlan): Emulator {
  const isIntel = host.iommus.some((unit) => unit.architecture === 'vtd');
  if (host.kernel.cpuVendor === 'arm') return { program: 'qemu-system-aarch64', machine: 'virt,accel=kvm,gic-version=host', virtualIommu: 'virtio-iommu-pci' };
  const split = owner.virtualIommu === true && isIntel ? ',kernel-irqchip=split' : '';
  return { program: 'qemu-system-x86_64', machine: `q35,accel=kvm${split}`, virtualIommu: isIntel ? 'intel-iommu,intremap=on,caching-mode=on' : 'virtio-iommu-pci' };
}

function cpu({ owner }: ExportPlan): string {
  return owner.addressWidth === undefined ? 'host' : `host,host-phys-bits=on,host-phys-bits-limit=${owner.addressWidth}`;
}

/** Huge pages want a memory object; anything else is `-m` alone. */
function memory(plan: ExportPlan, machine: string): string[] {
  const { size, first } = memoryOf(plan);
  if (size === 0n) return [`-machine ${machine}`];
  if (first?.kind !== 'hugetlb') return [`-machine ${machine}`, `-m ${qemuSize(size)}`];
  return [`-machine ${machine},memory-backend=ram0`, `-m ${qemuSize(size)}`, `-object memory-backend-file,id=ram0,size=${qemuSize(size)},mem-path=/dev/hugepages,prealloc=on`];
}

/** Where devices sit: a root port for each card, or one conventional bridge for a group that shares an address space. */
function devices(plan: ExportPlan): string[] {
  const shared = sharedGroups(plan);
  const bridges = [...shared].flatMap((number, index) => [`-device pcie-pci-bridge,id=group${number},addr=${(0x10 + index).toString(16)}.0`]);
  const slots = new Map<number, number>();
  let port = 0;
  const cards = cardsOf(plan).flatMap((card) => {
    const group = groupOf(plan, card[0]!.fn);
    if (group !== undefined && shared.has(group)) {
      return card.map((each) => {
        const slot = (slots.get(group) ?? 0) + 1;
        slots.set(group, slot);
        return device(plan, each, `bus=group${group},addr=${slot.toString(16)}.0`);
      });
    }
    const bus = `port${++port}`;
    const root = `-device pcie-root-port,id=${bus},chassis=${port},slot=${port}`;
    return [root, ...card.map((each, index) => device(plan, each, `bus=${bus},addr=0.${index.toString(16)}${index === 0 && card.length > 1 ? ',multifunction=on' : ''}`))];
  });
  return [...bridges, ...cards];
}

function device({ owner }: ExportPlan, { fn }: BoundFunction, place: string): string {
  const iommufd = owner.through === 'iommufd' ? ',iommufd=iommufd0' : '';
  const rom = fn.guestRom === undefined ? '' : fn.guestRom === 'none' ? ',rombar=0' : `,romfile=${value(fn.guestRom.file)}`;
  return `-device ${shellWord(`vfio-pci,host=${formatAddress(fn.address)}${iommufd},${place}${rom}`)}`;
}

/** OVMF wants to hear of the window as well as the machine. */
function window({ owner, host }: ExportPlan): string[] {
  if (owner.pciWindow === undefined || host.kernel.cpuVendor === 'arm') return [];
  return [`-global q35-pcihost.pci-hole64-size=${qemuSize(owner.pciWindow)}`, `-fw_cfg name=opt/ovmf/X-PciMmio64Mb,string=${owner.pciWindow / MIB}`];
}

export function exportQemu(plan: ExportPlan): Exported {
  const { owner, host } = plan;
  const emulator = emulatorFor(plan);
  const viommu = owner.virtualIommu === true ? [`-device ${emulator.virtualIommu}`] : [];
  const command = [
    `${emulator.program} -name ${shellWord(value(owner.name))}`, ...memory(plan, emulator.machine), `-cpu ${cpu(plan)}`,
    ...viommu, ...(owner.through === 'iommufd' ? ['-object iommufd,id=iommufd0'] : []), ...window(plan), ...devices(plan),
  ];
  const limit = owner.memlock === undefined ? [] : [`ulimit -l ${owner.memlock / KIB}  # KiB that may be locked`];
  return {
    text: `${['#!/bin/bash', `# ${owner.name} on ${host.name}: ${plan.assigned.map(({ fn }) => titleOf(fn)).join(', ')}`, ...limit, continued(command)].join('\n')}\n`,
    notes: [...notesOf(plan), ...leftOut(plan), 'Processors, disks, network and display are not described; add them.', ADDRESSES_MOVE],
  };
}

function notesOf(plan: ExportPlan): string[] {
  const { owner, host } = plan;
  return [
    ...memoryOf(plan).notes,
    ...(owner.through === 'iommufd' ? ['-object iommufd wants QEMU 9.0 or newer.'] : []),
    ...(owner.through === 'iommufd-container' ? ['QEMU is not told of iommufd here: /dev/vfio/vfio is one where the kernel has CONFIG_IOMMUFD_VFIO_CONTAINER.'] : []),
    ...(owner.pciWindow !== undefined && host.kernel.cpuVendor === 'arm' ? ['The window for large BARs of the machine virt cannot be chosen.'] : []),
    ...(owner.user === undefined ? [] : [`Run it as ${owner.user}.`]),
    ...(owner.capabilities.length === 0 ? [] : [`Capabilities (${owner.capabilities.join(', ')}) come from whoever starts QEMU.`]),
  ];
}

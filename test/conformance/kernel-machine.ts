/** The machine of a recorded run in the simulator, and what the probe sees of it beside the ioctls: device nodes, sysfs. */
import type { HostDescription, IommuDescription, MediatedDeviceDescription } from '../../server/simulator/description.js';
import { Refusal } from '../../server/simulator/errno.js';
import type { Device, Group } from '../../server/simulator/kernel/core.js';
import type { MachineKernel } from '../../server/simulator/kernel/machine-kernel.js';
import { planBoot } from '../../server/simulator/kernel/boot.js';
import { regionLine } from '../../server/simulator/kernel/reserved-regions.js';
import { Machine } from '../../server/simulator/scenario/machine.js';
import type { IommufdSubsystem } from '../../server/simulator/uapi/iommufd/index.js';
import type { VfioGroup, VfioSubsystem } from '../../server/simulator/uapi/vfio/index.js';
import { Contents, EduDevices } from './kernel-dma.js';
import { RecordedDrivers } from './kernel-drivers.js';
import { Guest, GuestMemory, NotCovered, Unresolved } from './kernel-guest.js';
import { parseOperation, type RecordedRun } from './kernel-record.js';
import { describeRecord } from './topologies.js';

export class RecordedMachine {
  readonly kernel: MachineKernel;
  readonly vfio: VfioSubsystem;
  readonly iommufd: IommufdSubsystem;
  readonly drivers: RecordedDrivers;
  readonly contents = new Contents();
  readonly edu: EduDevices;
  private readonly machine: Machine;
  /** What a process may lock unless it says otherwise: 64 KiB before 5.16. */
  private readonly memlock: bigint;
  /** Kernels as Debian builds them have neither iommufd nor pci-stub. */
  private readonly distribution: boolean;
  private readonly numbersDependOnDrivers: boolean;
  private readonly guests = new Map<string, Guest>();
  private readonly memory = new GuestMemory();
  private readonly byLabel: ReadonlyMap<string, string>;
  private readonly byGroupNumber = new Map<number, Device>();
  private readonly created = new Set<string>();
  /** Nodes that were opened to everybody: VFIO groups, devices, /dev/iommu. */
  private readonly openNodes = new WeakSet<object>();
  /** Written to /sys/module since boot: "vfio_iommu_type1.dma_entry_limit" → "3". */
  private readonly parameters = new Map<string, string>();

  constructor(run: RecordedRun) {
    const host = describeRun(run);
    this.machine = new Machine({ hosts: [host], groupClaims: [], owners: [], domains: [], questions: [], scenarios: [] }, planBoot(host));
    this.kernel = this.machine.kernel;
    this.vfio = this.machine.vfio;
    this.iommufd = this.machine.iommufd;
    this.edu = new EduDevices(this.machine, this.contents);
    const atBoot = this.kernel.moduleParameter.bind(this.kernel);
    this.kernel.moduleParameter = (module, name) => this.parameters.get(`${module}.${name}`) ?? atBoot(module, name);
    this.memlock = this.kernel.profile.version < 5016 ? 64n << 10n : 8n << 20n;
    this.distribution = !run.kernel.endsWith('-oracle');
    this.numbersDependOnDrivers = run.iommu === 'virtio';
    const { devices } = run.inventory;
    this.drivers = new RecordedDrivers(this.kernel, this.vfio, devices, this.distribution ? ['vfio-pci'] : ['vfio-pci', 'pci-stub']);
    this.byLabel = new Map(devices.filter((device) => device.id !== '').map((device) => [device.id, device.bdf]));
  }

  // ---------------------------------------------------------------------------------------------- processes

  guest(name: string): Guest {
    let guest = this.guests.get(name);
    if (guest === undefined) this.guests.set(name, (guest = new Guest(name, this.memory, this.memlock)));
    return guest;
  }

  kill(name: string): void {
    this.guests.get(name)?.process.exit();
    this.guests.delete(name);
  }

  /** Killed, but stuck in a call: it keeps what it has. */
  abandon(name: string): void {
    this.guests.delete(name);
  }

  killAll(): void {
    for (const name of [...this.guests.keys()]) this.kill(name);
  }

  wantRoot({ uid }: Guest): void {
    if (uid !== 0) throw new Refusal('EACCES', 'OWN-21', 'files in sysfs are written by root');
  }

  close(guest: Guest, fd: number): void {
    guest.process.close(fd);
  }

  // ---------------------------------------------------------------------------------------------- devices

  deviceNamed(label: string | undefined): Device {
    if (label === undefined) throw new Unresolved('dev');
    const device = this.kernel.deviceByName(this.byLabel.get(label) ?? label);
    if (device === undefined) throw new Unresolved(label);
    return device;
  }

  /** The probe writes `{bdf:nic0}` for an address. */
  substituted(text: string): string {
    return text.replace(/\{bdf:([^}]+)\}/g, (_all, label: string) => this.deviceNamed(label).name);
  }

  /** `echo 1 > devices/ADDR/remove`: it goes when its driver has let go. */
  remove(device: Device): void {
    const { hotPlug } = this.machine.booted;
    if (device.driver === null) hotPlug.remove(device);
    else this.drivers.unbind(device, () => hotPlug.remove(device));
  }

  rescan(): void {
    const { hotPlug } = this.machine.booted;
    for (const device of hotPlug.absentDevices) hotPlug.add(device);
  }

  shownDriver(device: Device): string {
    return this.drivers.shown(device);
  }

  /** The instance was described with the machine, because nothing is known of it but its name; here it appears. */
  createMediatedDevice(uuid: string): Device {
    const device = this.kernel.deviceByName(uuid);
    if (device === undefined) throw new NotCovered(`mediated device ${uuid}`);
    if (this.created.has(uuid)) throw new Refusal('EEXIST', 'MDV-02', `${uuid} exists already`);
    this.created.add(uuid);
    return device;
  }

  rememberGroup(number: number, device: Device): void {
    this.byGroupNumber.set(number, device);
  }

  deviceOfGroup(number: bigint): Device {
    const device = this.byGroupNumber.get(Number(number)) ?? this.kernel.groups.find((group) => group.id === Number(number))?.devices[0];
    if (device === undefined) throw new Refusal('ENOENT', 'VFG-10', `there is no group ${number}`);
    return device;
  }

  /**
   * The first open of a PCI device switches its bus mastering off. The simulator's programs are taken to switch it on again
   * at once, as every driver does; the probe does so with an operation of its own.
   */
  afterOpen(device: Device): void {
    const registered = this.vfio.registry.deviceOf(device);
    if (registered?.openCount === 1) device.busMaster = false;
  }

  openDevice(guest: Guest, fd: number): Device {
    return this.vfio.deviceCalls.open(guest.process, fd).device;
  }

  /** `echo VALUE > /sys/module/MODULE/parameters/NAME`; false for another path. */
  writeParameter(path: string, value: string): boolean {
    const [, module, name] = /^\/sys\/module\/([^/]+)\/parameters\/([^/]+)$/.exec(path) ?? [];
    if (module === undefined || name === undefined) return false;
    this.parameters.set(`${module}.${name}`, value);
    return true;
  }

  // ---------------------------------------------------------------------------------------------- nodes

  openGroup(guest: Guest, device: Device, noiommu: boolean): number {
    const group = this.vfio.registry.groupOf(device);
    if (group === undefined || group.members.size === 0 || (group.kind === 'noiommu') !== noiommu) throw new Refusal('ENOENT', 'VFG-10', 'there is no such node');
    this.wantNode(guest, group);
    return this.vfio.openGroup(guest.process, device);
  }

  openCdev(guest: Guest, device: Device): number {
    this.wantIommufd();
    const registered = this.vfio.registry.deviceOf(device);
    if (registered !== undefined && this.kernel.profile.cdev) this.wantNode(guest, registered);
    return this.iommufd.openCdev(guest.process, device);
  }

  openIommufd(guest: Guest): number {
    this.wantIommufd();
    if (this.kernel.profile.iommufd) this.wantNode(guest, this.iommufd);
    return this.iommufd.open(guest.process);
  }

  private wantIommufd(): void {
    if (this.distribution) throw new Refusal('ENOENT', 'IFD-06', 'this kernel was built without iommufd');
  }

  private wantNode({ uid }: Guest, node: object): void {
    if (uid !== 0 && !this.openNodes.has(node)) throw new Refusal('EACCES', 'VFG-10', 'the node belongs to root');
  }

  /** @throws Refusal ENOENT */
  setGroupNode(device: Device, open: boolean): void {
    const group = this.vfio.registry.groupOf(device);
    if (group === undefined) throw new Refusal('ENOENT', 'VFG-10', 'there is no such node');
    if (open) this.openNodes.add(group);
    else this.openNodes.delete(group);
  }

  /** chmod 666 of what is there now. */
  openNodesToAll(): void {
    this.openNodes.add(this.iommufd);
    for (const registered of this.vfio.registry.registered()) {
      this.openNodes.add(registered);
      this.openNodes.add(registered.group satisfies VfioGroup);
    }
  }

  /** Numbers of groups that form when drivers probe depend on which driver was loaded when, and on nothing that a record tells. */
  wantGroupNumbers(): void {
    if (this.numbersDependOnDrivers) throw new NotCovered('group numbers in the order of drivers');
  }

  /** What `ls /dev/vfio/devices` shows. */
  deviceNodes(): string[] {
    const registered = this.distribution || !this.kernel.profile.cdev ? [] : this.vfio.registry.registered();
    if (registered.some(({ kind }) => kind === 'noiommu')) throw new NotCovered('nodes of devices without IOMMU');
    // The instance was there before its time, and has a number that another one may have got.
    if (registered.some(({ device }) => device.kind === 'mdev' && !this.created.has(device.name))) throw new NotCovered('nodes beside a mediated device that is still to come');
    return registered.map(({ number }) => `vfio${number}`).sort();
  }

  /** What `ls /dev/vfio` shows. */
  nodes(): string[] {
    this.wantGroupNumbers();
    const registered = this.vfio.registry.registered().filter(({ device }) => device.kind !== 'mdev' || this.created.has(device.name));
    const groups = new Set(registered.map(({ group }) => group.nodeName));
    const cdevs = !this.distribution && this.kernel.profile.cdev && registered.some(({ kind }) => kind !== 'noiommu');
    return [...groups, ...(cdevs ? ['devices'] : []), 'vfio'].sort();
  }

  // ---------------------------------------------------------------------------------------------- groups

  groupType(group: Group): string {
    return group.defaultDomain?.type ?? 'unknown';
  }

  writeGroupType(guest: Guest, device: Device, word: string): void {
    this.wantRoot(guest);
    this.kernel.writeGroupType(device, word, guest.process);
  }

  reservedText(group: Group): string {
    return group.reservedRegions().map(regionLine).join('\n');
  }
}

/** The host of the record: its topology, and what QEMU's options say about the unit. */
function describeRun(run: RecordedRun): HostDescription {
  const host = describeRecord(run);
  return { ...host, kernel: { ...host.kernel, buildOptions: [...host.kernel.buildOptions, 'VFIO_NOIOMMU', 'IOMMUFD_TEST'] }, iommus: host.iommus.map((unit) => ({ ...unit, ...unitOptions(run) })), mediatedDevices: describeMediated(run, host) };
}

/** What the options of QEMU's intel-iommu and amd-iommu switch. */
function unitOptions({ iommu, iommu_opts: options, dmesg_boot: messages = [] }: RecordedRun): Partial<IommuDescription> {
  const on = (name: string, otherwise: boolean): boolean => (options[name] === undefined ? otherwise : options[name] === 'on' || options[name] === true);
  if (iommu === 'virtio') return { interruptRemapping: false };
  // QEMU's option is always on, but newer kernels do not trust its tables.
  if (iommu === 'amd') return { interruptRemapping: messages.some((message) => message.includes('Interrupt remapping enabled')) };
  const addressWidth = Number(options['aw-bits'] ?? 48);
  return {
    interruptRemapping: on('intremap', true), cachingMode: on('caching-mode', true), snoopControl: on('snoop-control', false), deviceTlb: on('device-iotlb', false),
    scalableMode: on('scalable-mode', false), firstStage: on('fsts', false), addressWidth,
  };
}

/** Every instance that some operation creates; its parent is a virtual device that no bus has. */
function describeMediated(run: RecordedRun, host: HostDescription): MediatedDeviceDescription[] {
  const lines = run.sequences.flatMap((sequence) => sequence.ops).filter((operation) => operation.op === 'mdev_create').map(parseOperation);
  const names = new Set(lines.map((line) => line.values.get('uuid') ?? '11111111-2222-3333-4444-555555555555'));
  const [parent] = host.functions;
  return parent === undefined ? [] : [...names].map((name) => ({ id: name, name, kind: 'software-no-dma', parent: parent.id, typeName: 'mtty-1' }));
}

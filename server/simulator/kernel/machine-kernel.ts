/** The kernel of one machine after boot: devices in their groups on their default domains, drivers bound. */
import type { HostDescription, MediatedDeviceDescription, SubjectId } from '../description.js';
import { DomainIds } from '../hardware/domain-ids.js';
import { Refusal } from '../errno.js';
import type { IommuUnit, TableUse, UserTable } from '../hardware/architecture.js';
import { bootDevices, mediatedDevice, type DeviceFacts } from './devices.js';
import type { Device, DriverListener, Group, Kernel, NestedDomain, PagingDomain, ReservedRegion } from './core.js';
import { attachRules } from './attach-history.js';
import type { CommandLine } from './command-line.js';
import { setUpChosenDomain, setUpDefaultDomain } from './default-domain.js';
import { encryptsMemory, globalChoice, groupType, type DefaultType } from './default-type.js';
import { BLOCKED, MapBudget, TranslatedDomain } from './domains.js';
import { DriverCore } from './driver-core.js';
import { IommuGroup, type Effect, type GroupSurroundings } from './group.js';
import { writeGroupType, type Writer } from './group-type.js';
import type { PluggableKernel } from './hotplug.js';
import { TwoStageDomain } from './nested-domain.js';
import type { KernelProfile } from './profile.js';
import { wantsStrict } from './strictness.js';
import { unitMessages } from './unit-messages.js';

/** What boot found: the machine below the kernel, and who is grouped with whom. */
export interface BootFindings extends DeviceFacts {
  readonly profile: KernelProfile;
  readonly commandLine: CommandLine;
  /** Units that are switched on. */
  readonly units: readonly IommuUnit[];
  /** Members of each group in the order of joining; groups in the order of formation. */
  readonly partition: readonly (readonly SubjectId[])[];
  /** Of each group of the partition (GRD-07). */
  readonly groupNames?: readonly (string | null)[];
  /** Log lines from before the groups form. */
  readonly earlyMessages: readonly string[];
  /** RSV-13. */
  mergeRegions(regions: readonly (readonly ReservedRegion[])[]): readonly ReservedRegion[];
}

/** First domain ID that Linux gives out, by architecture (LNX-01). */
const FIRST_DOMAIN_ID: Readonly<Record<string, number>> = { vtd: 2 };

export class MachineKernel implements Kernel, PluggableKernel, GroupSurroundings {
  readonly profile: KernelProfile;
  readonly groups: Group[] = [];
  readonly log: string[] = [];
  readonly driverListeners = new Set<DriverListener>();
  /** What happened to groups since boot; callers slice it around a call, as the log. */
  readonly effects: Effect[] = [];
  /** The choice for groups that need nothing special. */
  readonly defaultType: DefaultType;
  /** Whoever must know of a device that a driver is about to probe (GRL-07). */
  beforeProbe: ((device: Device, driver: string) => void) | null = null;
  /** In the order in which they came. */
  private readonly present = new Map<SubjectId, Device>();
  private readonly groupIds = new DomainIds(0);
  private readonly domainIds = new Map<string, DomainIds>();
  private readonly budget = new MapBudget();
  private readonly drivers: DriverCore;

  constructor(
    private readonly host: HostDescription,
    private readonly findings: BootFindings,
  ) {
    this.profile = findings.profile;
    this.drivers = new DriverCore(this.profile, this.driverListeners, this.log);
    bootDevices(host, findings).forEach((device) => this.know(device));
    this.log.push(...findings.earlyMessages);
    this.defaultType = this.chooseDefault();
    this.formGroups();
    this.bindBootDrivers();
    this.createMediatedDevices();
    this.effects.length = 0;
  }

  changed(effect: Effect): void {
    this.effects.push(effect);
  }

  /** In the order in which they came. */
  get devices(): readonly Device[] {
    return [...this.present.values()];
  }

  device(subject: SubjectId): Device | undefined {
    return this.present.get(subject);
  }

  deviceByName(name: string): Device | undefined {
    return this.devices.findLast((device) => device.name === name);
  }

  moduleParameter(module: string, name: string): string | undefined {
    const wanted = `${module}.${name}=`;
    const given = this.host.kernel.moduleParameters.findLast((parameter) => parameter.startsWith(wanted));
    return given?.slice(wanted.length) ?? this.findings.commandLine.get(`${module}.${name}`)?.at(-1);
  }

  buildOption(name: string): boolean {
    return this.host.kernel.buildOptions.findLast((option) => option === name || option === `!${name}`) === name;
  }

  buildOptionIsOff(name: string): boolean {
    return this.host.kernel.buildOptions.findLast((option) => option === name || option === `!${name}`) === `!${name}`;
  }

  get memoryEncrypted(): boolean {
    return encryptsMemory({ cpuVendor: this.host.kernel.cpuVendor, commandLine: this.findings.commandLine, hasOption: (name) => this.buildOption(name) });
  }

  bind(device: Device, driver: string): void {
    this.beforeProbe?.(device, driver);
    this.drivers.bind(device, driver);
  }

  /** The driver core tries a driver of its own accord. @throws Refusal EINVAL when the device's group is owned (OWN-21), or 'BUG' */
  attachDriver(device: Device, driver: string): void {
    this.beforeProbe?.(device, driver);
    this.drivers.attach(device, driver);
  }

  unbind(device: Device): void {
    this.drivers.unbind(device);
  }

  /** @throws Refusal EACCES, EINVAL, EBUSY, EPERM (TYP-01 ..) */
  writeGroupType(device: Device, word: string, writer: Writer): void {
    const { group } = device;
    if (!(group instanceof IommuGroup)) throw new Refusal('ENOENT', 'GRL-01', `${device.name} is in no IOMMU group`, [device.subject]);
    writeGroupType(group, word, writer, this);
  }

  /** The default domain that boot would have given the group, whatever uses it now. @throws Refusal */
  setDefaultType(group: Group, type: DefaultType): void {
    if (group instanceof IommuGroup) setUpDefaultDomain(group, type, this);
  }

  /** The group's DMA goes nowhere. @throws Refusal EINVAL (RSV-44) */
  block(group: Group): void {
    if (group instanceof IommuGroup) group.moveTo(BLOCKED);
  }

  createGroup(devices: readonly Device[], name: string | null): Group {
    const group = new IommuGroup(this.groupIds.take(), name, this); // GRP-07, GRL-02
    for (const device of devices) group.add(device);
    this.groups.push(group);
    return group;
  }

  allocateDomain(device: Device, name: string, use: TableUse = 'user'): TranslatedDomain {
    return this.createDomain(device, 'unmanaged', name, use);
  }

  createDomain(device: Device, type: PagingDomain['type'], name: string, use: TableUse = 'kernel'): TranslatedDomain {
    const { unit } = device;
    if (unit === null) throw new Refusal('ENODEV', 'DOM-25', `${device.name} is behind no IOMMU`, [device.subject]);
    const ids = this.domainIdsOf(unit);
    const freed = (domain: TranslatedDomain): void => ids.giveBack(domain.domainId);
    const domain = new TranslatedDomain(type, name, unit, ids.take(), unit.createPageTable(use), this.log, this.budget, freed, attachRules(this.profile).rangeTables.includes(unit.description.architecture));
    domain.tracksDirty = use === 'dirty-tracking'; // DRT-01
    return domain;
  }

  nestDomain(parent: PagingDomain, name: string, stage: UserTable | null, accepts: (device: Device) => void): NestedDomain {
    const ids = this.domainIdsOf(parent.unit);
    const id = ids.take();
    return new TwoStageDomain(name, parent, id, stage, accepts, () => ids.giveBack(id));
  }

  plug(device: Device): void {
    this.know(device);
    this.createGroup([device], null);
  }

  unplug(device: Device): void {
    const { group } = device;
    if (group instanceof IommuGroup && !group.remove(device)) this.freeGroup(group); // GRL-02
    this.forget(device);
  }

  createBlockingDomain(device: Device): PagingDomain {
    return this.createDomain(device, 'unmanaged', `group ${device.group?.id ?? '?'} blocking`);
  }

  mergeRegions(devices: readonly Device[]): readonly ReservedRegion[] {
    return this.findings.mergeRegions(devices.map((device) => device.reservedRegions));
  }

  private domainIdsOf(unit: IommuUnit): DomainIds {
    const { architecture } = unit.description;
    let ids = this.domainIds.get(architecture);
    if (ids === undefined) this.domainIds.set(architecture, (ids = new DomainIds(FIRST_DOMAIN_ID[architecture] ?? 1)));
    return ids;
  }

  know(device: Device): void {
    this.present.set(device.subject, device);
  }

  forget(device: Device): void {
    this.present.delete(device.subject);
  }

  /** GRL-02: its number is the next one to be given out, if no lower one is free. */
  freeGroup(group: Group): void {
    this.groups.splice(this.groups.indexOf(group), 1);
    this.groupIds.giveBack(group.id);
  }

  private chooseDefault(): DefaultType {
    const boot = { release: this.profile.release, commandLine: this.findings.commandLine };
    const units = this.findings.units.map((unit) => unit.description);
    const choice = globalChoice({
      profile: this.profile, commandLine: boot.commandLine, cpuVendor: this.host.kernel.cpuVendor, hasOption: (name) => this.buildOption(name),
      unitsWantStrict: units.some((unit) => wantsStrict(unit, boot)),
    });
    if (units.length > 0) this.log.push(...choice.messages, ...unitMessages(units, boot));
    return choice.type;
  }

  /** GRL-06: all groups first, then the default domain of each. */
  private formGroups(): void {
    this.findings.partition.forEach((members, number) => this.createGroup(members.map((member) => this.present.get(member)!), this.findings.groupNames?.[number] ?? null));
    for (const group of this.groups) {
      if (!(group instanceof IommuGroup)) continue;
      const type = groupType(group, null, this);
      if (type !== null) setUpChosenDomain(group, type, this);
    }
  }

  /** Drivers of the description bind at boot. Nobody owns anything yet, so the only refusal is that of a group without default domain (OWN-01). */
  private bindBootDrivers(): void {
    for (const device of this.devices) {
      if (device.kind === 'mdev' || device.description.driver === null) continue;
      try {
        this.drivers.probe(device, device.description.driver);
        device.driver = device.description.driver;
      } catch (refusal) {
        if (!(refusal instanceof Refusal)) throw refusal;
      }
    }
  }

  private createMediatedDevices(): void {
    for (const description of this.host.mediatedDevices) {
      const parent = this.present.get(description.parent);
      if (parent === undefined || this.allInstancesUsed(description)) continue;
      const device = mediatedDevice(description, parent);
      this.know(device);
    }
  }

  /** MDV-02: what the parent cannot have any more, the administrator did not make. */
  private allInstancesUsed({ instances, parent, typeName }: MediatedDeviceDescription): boolean {
    if (instances === undefined) return false;
    return this.devices.filter((device) => device.kind === 'mdev' && device.description.parent === parent && device.description.typeName === typeName).length >= instances;
  }
}

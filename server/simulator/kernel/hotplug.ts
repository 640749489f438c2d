/** Devices that go and come while the machine runs: who they leave, whom they join, and what they translate through then. */
import type { SubjectId } from '../description.js';
import { Refusal } from '../errno.js';
import type { Topology } from '../fabric/topology.js';
import type { Device, DriverListener, Group } from './core.js';
import { mapDirectRegions, setUpChosenDomain, type DomainMaker } from './default-domain.js';
import { groupType } from './default-type.js';
import { TranslatedDomain } from './domains.js';
import { IommuGroup } from './group.js';
import type { FormedGroups } from './groups.js';
import { deviceLine } from './log-lines.js';

/** The kernel as coming and going devices change it. */
export interface PluggableKernel extends DomainMaker {
  readonly groups: readonly Group[];
  readonly driverListeners: ReadonlySet<DriverListener>;
  device(subject: SubjectId): Device | undefined;
  attachDriver(device: Device, driver: string): void;
  unbind(device: Device): void;
  createGroup(devices: readonly Device[], name: string | null): Group;
  freeGroup(group: Group): void;
  know(device: Device): void;
  forget(device: Device): void;
}

export class HotPlug {
  /** Devices that were taken out. */
  private readonly absent = new Map<SubjectId, Device>();

  constructor(
    private readonly kernel: PluggableKernel,
    private readonly topology: Topology,
    private readonly formed: Pick<FormedGroups, 'decideLater' | 'atDriverProbe'>,
  ) {}

  /** `echo 1 > remove`, or the card is pulled: with all that is below it, leaves first. @throws Refusal when a driver does not let go (VFG-23) */
  remove(device: Device): void {
    for (const child of this.below(device)) this.remove(child);
    if (device.driver !== null) this.kernel.unbind(device);
    const { group } = device;
    if (group instanceof IommuGroup && !group.remove(device)) this.kernel.freeGroup(group); // GRL-02
    this.kernel.forget(device);
    device.driverOverride = null; // What comes back is a new device to the kernel.
    this.absent.set(device.subject, device);
  }

  /** A device that is not there now: removed before. */
  absentDevice(subject: SubjectId): Device | undefined {
    return this.absent.get(subject);
  }

  /** Those that a rescan finds, the ones nearer to the root first. */
  get absentDevices(): readonly Device[] {
    return [...this.absent.values()].reverse();
  }

  /** `echo 1 > rescan`, or the card is put in: BUS_NOTIFY_ADD_DEVICE (GRL-06), then its driver. @throws Refusal 'BUG' (OLD-04) */
  add(device: Device): void {
    const above = device.kind === 'pci' ? device.description.upstream : null;
    if (above !== null && this.kernel.device(above) === undefined) throw new Refusal('ENODEV', 'GRL-06', `the bridge above ${device.name} is not there`, [device.subject]);
    this.absent.delete(device.subject);
    this.kernel.know(device);
    if (device.unit !== null && this.formed.atDriverProbe(device.subject) !== 'forms') this.join(device);
    try {
      this.probeDriver(device);
    } catch (refusal) {
      if (!(refusal instanceof Refusal) || refusal.errno === 'BUG') throw refusal; // OWN-21: autoprobe has nobody to tell
    }
  }

  /** `echo ADDR > drivers_probe`. @throws Refusal EINVAL when the device's group is owned (OWN-21), or 'BUG' */
  probeDriver(device: Device): void {
    const driver = device.driverOverride ?? (device.kind === 'mdev' ? null : device.description.driver);
    if (driver !== null && device.driver === null) this.kernel.attachDriver(device, driver);
  }

  /** Firmware's description is read before the driver's own probe: the group forms then (GRL-07), or at last, which the kernel finds fishy (GRL-08). */
  beforeProbe(device: Device, driver: string): void {
    const meaning = device.unit === null || device.group !== null ? 'nothing' : this.formed.atDriverProbe(device.subject);
    if (meaning === 'nothing') return;
    this.join(device);
    if (meaning === 'once-more' && device.group !== null) this.kernel.log.push(`${driver} ${device.name}: late IOMMU probe at driver bind, something fishy here!`);
  }

  private below(device: Device): Device[] {
    if (device.kind !== 'pci') return [];
    const children = [...this.topology.children(device.description)];
    return children.flatMap((child) => this.kernel.device(child.id) ?? []).reverse();
  }

  private join(device: Device): void {
    const joined = this.groupToJoin(device);
    if (joined === 'refused') return;
    if (joined === 'new') return this.startGroup(device);
    joined.add(device);
    try {
      this.translate(device, joined);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      joined.remove(device);
      this.kernel.log.push(deviceLine(device, `Failed to add to iommu group ${joined.id}: -22`)); // GRL-04
      return;
    }
    for (const listener of this.kernel.driverListeners) listener.joined?.(device);
  }

  /** GRP-21: it finds a group or starts one; nobody else's changes. 'refused': its driver does not take it. */
  private groupToJoin(device: Device): IommuGroup | 'new' | 'refused' {
    const groupOf = (subject: SubjectId): number | undefined => {
      const group = this.kernel.device(subject)?.group;
      return group instanceof IommuGroup ? group.id : undefined;
    };
    const placement = this.formed.decideLater(device.subject, groupOf, (line) => void this.kernel.log.push(line));
    if (placement.kind !== 'joins') return placement.kind;
    const group = this.kernel.groups.find(({ id }) => id === placement.group);
    return group instanceof IommuGroup ? group : 'new';
  }

  private startGroup(device: Device): void {
    const group = this.kernel.createGroup([device], null);
    if (!(group instanceof IommuGroup)) return;
    const type = groupType(group, null, this.kernel);
    if (type !== null) setUpChosenDomain(group, type, this.kernel);
  }

  /** GRL-06: three generations of what a newcomer is attached to. @throws Refusal EINVAL (RSV-44) */
  private translate(device: Device, group: IommuGroup): void {
    const { joinsLiveGroup } = this.kernel.profile;
    if (group.defaultDomain instanceof TranslatedDomain) mapDirectRegions([device], group.defaultDomain, this.kernel);
    if (joinsLiveGroup === 'group-domain') return group.connect(device, group.domain);
    const isClaimed = joinsLiveGroup === 'unattached-when-claimed' && group.owner !== null;
    group.connect(device, isClaimed ? null : group.defaultDomain);
  }
}

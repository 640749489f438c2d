/** One simulated machine: booted from the description of its host, used by one run. */
import type { HostDescription, MachineDescription, OwnerMemory, PasidSetDescription, SubjectId } from '../description.js';
import type { Fabric } from '../fabric/fabric.js';
import { bootPlanned, type BootedHost, type BootPlan } from '../kernel/boot.js';
import { Refusal } from '../errno.js';
import type { IommuUnit } from '../hardware/architecture.js';
import type { Device, Domain } from '../kernel/core.js';
import { isVfioDriver } from '../kernel/drivers.js';
import { ioasidsOf, type Ioasids } from '../kernel/ioasid/index.js';
import type { DmaApi } from '../kernel/dma-api.js';
import type { TranslationServices } from '../kernel/services.js';
import type { MachineKernel } from '../kernel/machine-kernel.js';
import { PhysicalMemory, TABLE_TOP } from '../memory/physical-memory.js';
import { physical, type AddressRange } from '../memory/address.js';
import { IommufdSubsystem } from '../uapi/iommufd/index.js';
import { VfioSubsystem } from '../uapi/vfio/index.js';
import { HostMemory, memoryOf } from './host-memory.js';
import { Programs } from './processes.js';

export class Machine {
  readonly memory = new PhysicalMemory();
  readonly host: HostDescription;
  readonly booted: BootedHost;
  readonly fabric: Fabric;
  readonly kernel: MachineKernel;
  readonly dmaApi: DmaApi;
  readonly hostMemory: HostMemory;
  readonly programs: Programs;
  readonly vfio: VfioSubsystem;
  readonly iommufd: IommufdSubsystem;
  /** PASIDs, processes' addresses, capabilities of functions. */
  readonly services: TranslationServices;
  /** Domains that kernel drivers allocated, by process and name. */
  readonly kernelDomains = new Map<string, Domain>();
  readonly ioasids: Ioasids;
  /** Units that follow registers written by hand. */
  readonly rawUnits = new Set<IommuUnit>();
  private readonly names = new Map<SubjectId, string>();

  /** @param memories of the scenario, beside those of the file's owners */
  constructor(
    private readonly description: MachineDescription,
    plan: BootPlan,
    memories: readonly OwnerMemory[] = [],
  ) {
    const { host } = plan;
    this.host = host;
    this.booted = bootPlanned(plan, this.memory);
    this.kernel = this.booted.kernel;
    this.services = this.booted.services;
    this.fabric = plan.fabric;
    this.dmaApi = this.booted.dmaApi;
    this.hostMemory = new HostMemory(memoryOf(host), TABLE_TOP, wordRanges(host));
    this.programs = new Programs(this.hostMemory, host, description.owners, memories);
    this.vfio = this.startVfio();
    this.iommufd = new IommufdSubsystem(this.kernel, this.vfio.registry);
    this.ioasids = ioasidsOf(host, this.kernel.profile, this.kernel, this.services.numbers.space);
    this.vfio.iommufdContainers = () => this.iommufd.containerFile(); // CMP-01
    for (const device of this.kernel.devices) this.names.set(device.subject, device.description.name);
    this.writeRaw();
  }

  /** What somebody wrote by hand after boot: words of tables, then registers that lead to them. */
  private writeRaw(): void {
    for (const { address, values } of this.host.words ?? []) values.forEach((value, index) => this.memory.writeWord(physical(address + BigInt(index) * WORD_BYTES), value));
    for (const unit of this.booted.units) for (const { name, value } of unit.description.registers ?? []) this.writeRegister(unit, name, value);
  }

  /** @param name of the register map */
  writeRegister(unit: IommuUnit, name: string, value: bigint): void {
    unit.writeRegister?.(name, value);
    this.rawUnits.add(unit);
  }

  /** VFIO's drivers bind when VFIO is there to ask them: a device that it does not take stays without driver (VFG-22). */
  private startVfio(): VfioSubsystem {
    const bound = this.kernel.devices.flatMap((device) => (device.kind !== 'mdev' && isVfioDriver(device.driver) ? [{ device, driver: device.driver! }] : []));
    for (const { device } of bound) this.kernel.unbind(device);
    const vfio = new VfioSubsystem(this.kernel, this.services.auxiliary);
    for (const { device, driver } of bound) {
      try {
        this.kernel.bind(device, driver);
      } catch (refusal) {
        if (!(refusal instanceof Refusal)) throw refusal;
      }
    }
    return vfio;
  }

  /** As the file names it. */
  nameOf(subject: SubjectId): string {
    return this.names.get(subject) ?? subject;
  }

  /** Whoever has the device's group open has put it into a container (or into an iommufd that stands in for one). */
  isContained(device: Device): boolean {
    return this.vfio.registry.groupOf(device)?.container != null;
  }

  /** The described sets of PASIDs of this host. */
  get pasidSets(): readonly PasidSetDescription[] {
    return (this.description.pasidSets ?? []).filter((set) => set.host === this.host.id);
  }

  pasidSet(subject: SubjectId): PasidSetDescription | undefined {
    return this.description.pasidSets?.find((set) => set.id === subject);
  }

  barsOf(device: SubjectId): AddressRange[] {
    const found = this.kernel.device(device);
    return found?.kind === 'pci' ? found.description.bars.map((bar) => bar.range) : [];
  }

  /** Addresses at which the route of a request may change: ends of windows and BARs. */
  windowEdges(): bigint[] {
    const edges = new Set<bigint>();
    for (const fn of this.booted.topology.functions) {
      const ranges = [...fn.bars.map((bar) => bar.range), ...this.fabric.addresses.windows(fn)];
      for (const { start, last } of ranges) edges.add(start).add(last + 1n);
    }
    return [...edges];
  }

  /** Where the memory of an owner lies; nothing when the owner never started. */
  memoryOfOwner(owner: SubjectId): AddressRange[] {
    const found = this.description.owners.find((each) => each.id === owner);
    return (found?.memory ?? []).flatMap((memory) => this.programs.piecesOf(memory.id).map(({ physical: start, size }) => ({ start, last: physical(start + size - 1n) })));
  }

  memoryOfAllOwners(): AddressRange[] {
    return this.description.owners.flatMap((owner) => (owner.host === this.host.id ? this.memoryOfOwner(owner.id) : []));
  }
}

const WORD_BYTES = 8n;

/** Memory that nobody else gets. */
const wordRanges = ({ words = [] }: HostDescription): AddressRange[] => words.map(({ address, values }) => ({ start: address, last: address + BigInt(values.length) * WORD_BYTES - 1n }));

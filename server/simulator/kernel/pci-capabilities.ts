/** Switching on PASID, ATS and page requests of PCI functions (PAS-14, PAS-15, IOPF-03), as drivers ask the PCI core to. */
import type { FunctionDescription } from '../description.js';
import { Refusal } from '../errno.js';
import type { AcsRegisters } from '../fabric/acs.js';
import { isPcie } from '../fabric/function-type.js';
import type { Topology } from '../fabric/topology.js';
import { ACS } from './acs-quirks.js';
import type { AcsQuestions } from './acs.js';
import type { AttachRules } from './attach-history.js';
import type { Device } from './core.js';

/** What PASID wants on the way up: requests with PASID must reach the IOMMU, whatever their address. */
const PASID_PATH = ACS.RR | ACS.UF;

export class PciCapabilities {
  constructor(
    private readonly topology: Topology,
    private readonly isolation: AcsQuestions,
    private readonly registers: AcsRegisters,
    private readonly deviceOf: (fn: string) => Device | undefined,
  ) {}

  /** What the driver of a unit does for each function that it finds; a function that cannot stays without. */
  enableAtBoot(devices: readonly Device[], rules: AttachRules): void {
    for (const device of devices) {
      if (device.kind !== 'pci' || device.unit === null) continue;
      if (device.unit.description.deviceTlb) attempt(() => this.enableAts(device));
      if (device.unit.capabilities().maxPasids > 0 && device.pasidBits) attempt(() => this.enablePasid(device));
      if (rules.pageRequests === 'at-boot' && device.atsEnabled && device.unit.description.pageRequests && device.description.pri) device.priEnabled = true;
    }
  }

  /** `pci_enable_pasid` (PAS-14, ACE-11). @throws Refusal EINVAL, EBUSY */
  enablePasid(device: Device): void {
    const invalid = invalidFor(device, 'PAS-14');
    if (device.kind !== 'pci') throw invalid(`${device.name} is no PCI function`);
    const { virtualFunction } = device.description;
    if (virtualFunction !== undefined) return this.sharePasid(device, virtualFunction.of);
    if (device.pasidEnabled) throw new Refusal('EBUSY', 'PAS-14', `PASID of ${device.name} is on already (WARN)`, [device.subject]);
    if (!this.pathOf(device.description).every((fn) => isPcie(fn) !== false)) throw invalid(`conventional PCI above ${device.name} passes no TLP prefixes on`);
    if (!device.pasidBits) throw invalid(`${device.name} has no PASID capability`);
    const gap = this.pathOf(device.description).find((fn) => !this.redirects(fn));
    if (gap !== undefined) throw new Refusal('EINVAL', 'PAS-14', `${gap === device.description ? device.name : gap.name} does not redirect requests upstream (ACS RR, UF), so one with PASID could end at a peer`, [gap.id]);
    device.pasidEnabled = true;
  }

  private sharePasid(device: Device, physical: string): void {
    if (this.deviceOf(physical)?.pasidEnabled !== true) throw invalidFor(device, 'PAS-14')(`PASID of the physical function of ${device.name} is off`);
    device.pasidEnabled = true;
  }

  /** `pci_enable_ats` with pages of 4 KiB (PAS-15). @throws Refusal EINVAL, EBUSY */
  enableAts(device: Device): void {
    const invalid = invalidFor(device, 'PAS-15');
    if (device.kind !== 'pci' || !device.description.ats) throw invalid(`${device.name} has no ATS capability`);
    if (device.untrusted) throw invalid(`${device.name} is not trusted: it could send addresses as translated that nobody translated`);
    if (device.atsEnabled) throw new Refusal('EBUSY', 'PAS-15', `ATS of ${device.name} is on already (WARN)`, [device.subject]);
    device.atsEnabled = true;
  }

  /** The function and every bridge above it. */
  private pathOf(fn: FunctionDescription): FunctionDescription[] {
    const path = [fn];
    for (let above = this.topology.upstream(fn); above !== null; above = this.topology.upstream(above)) path.push(above);
    return path;
  }

  /** ACE-11: `pci_acs_path_enabled` with RR and UF only. */
  private redirects(fn: FunctionDescription): boolean {
    const { isolates, rules } = this.isolation.of(fn);
    if (isolates === true) return true;
    const register = this.registers.of(fn);
    // ACS-02, ACS-03: what never isolates does not do a part of it either; ACS-07: no capability, no redirection.
    if (register === null || isPcie(fn) !== true || rules.includes('ACS-03')) return false;
    return (PASID_PATH & register.capability & ~register.control) === 0;
  }
}

const invalidFor = (device: Device, rule: string) => (why: string): Refusal => new Refusal('EINVAL', rule, why, [device.subject]);

function attempt(work: () => void): void {
  try {
    work();
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
  }
}

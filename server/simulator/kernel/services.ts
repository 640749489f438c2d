/** What drivers of the kernel may ask for beside domains and groups: PASIDs, processes' addresses, capabilities of functions (section 7). */
import type { Topology } from '../fabric/topology.js';
import type { AttachRules } from './attach-history.js';
import { attachRules } from './attach-history.js';
import { AuxiliaryDomains } from './aux-domains.js';
import { Refusal } from '../errno.js';
import type { Kernel } from './core.js';
import { enableFeature } from './features.js';
import type { FormedGroups } from './groups.js';
import { PageRequests } from './io-page-faults.js';
import { PasidNumbers } from './pasid-numbers.js';
import { PciCapabilities } from './pci-capabilities.js';
import { SharedAddressing } from './sva.js';

export class TranslationServices {
  readonly rules: AttachRules;
  readonly numbers = new PasidNumbers();
  readonly sharing: SharedAddressing;
  readonly auxiliary: AuxiliaryDomains;
  readonly capabilities: PciCapabilities;
  readonly pageRequests: PageRequests;

  constructor(kernel: Kernel, topology: Topology, formed: FormedGroups) {
    this.rules = attachRules(kernel.profile);
    this.sharing = new SharedAddressing(this.rules, this.numbers);
    this.auxiliary = new AuxiliaryDomains(this.rules, this.numbers, kernel.log);
    this.pageRequests = new PageRequests(kernel.log);
    this.capabilities = new PciCapabilities(topology, formed.isolation, formed.acs, (fn) => kernel.device(fn));
    this.capabilities.enableAtBoot(kernel.devices, this.rules);
    this.enableAuxiliaryDomains(kernel);
  }

  /** FEA-05: a driver whose mediated devices use PASIDs of theirs switches auxiliary domains on, where it can. */
  private enableAuxiliaryDomains({ devices }: Kernel): void {
    for (const device of devices) {
      if (device.kind !== 'mdev' || device.description.kind !== 'parent-aux' || !this.rules.auxiliaryDomains) continue;
      try {
        enableFeature(this.rules, device.parent, 'aux');
      } catch (refusal) {
        if (!(refusal instanceof Refusal)) throw refusal;
      }
    }
  }
}

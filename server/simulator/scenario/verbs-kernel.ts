/** Steps that are calls of drivers inside the kernel on the IOMMU core: each is named after the function that it is. */
import type { OperandSpec, VerbSpec } from './verbs.js';

const DOMAIN: OperandSpec = { role: 'domain', kind: 'kernel-domain', doc: 'the domain' };
const TO: OperandSpec = { role: 'device', kind: 'device', key: 'to', doc: 'the device' };
const FROM: OperandSpec = { role: 'device', kind: 'device', key: 'from', doc: 'the device' };
const DEVICE: OperandSpec = { role: 'device', kind: 'device', doc: 'the device' };
const PASID: OperandSpec = { role: 'pasid', kind: 'number', key: 'pasid', doc: 'the PASID' };
const IOVA: OperandSpec = { role: 'iova', kind: 'number', key: 'iova', doc: 'first I/O virtual address' };
const SIZE: OperandSpec = { role: 'size', kind: 'size', key: 'size', doc: 'bytes' };
const FEATURE: OperandSpec = { role: 'feature', kind: 'word', doc: 'aux (up to 5.17), sva, iopf' };

export const KERNEL_VERBS: readonly VerbSpec[] = [
  { verb: 'alloc-domain', call: 'iommu_paging_domain_alloc()', doc: 'A kernel driver allocates an empty domain for a device. `static-identity` and `static-blocked` mean the domains of that kind that every driver has.', operands: [{ role: 'handle', kind: 'new kernel-domain', doc: 'its name from here on' }, { role: 'device', kind: 'device', key: 'for', doc: 'the device' }], flags: ['dirty-tracking', 'static-identity', 'static-blocked'], rules: ['DRT-01', 'ATD-02'], example: 'alloc-domain D for gpu' },
  { verb: 'free-domain', call: 'iommu_domain_free()', doc: 'Frees a domain of a kernel driver.', operands: [DOMAIN], flags: [], rules: [], example: 'free-domain D' },
  { verb: 'map-domain', call: 'iommu_map()', doc: 'Maps physical memory into a domain of a kernel driver.', operands: [DOMAIN, IOVA, { role: 'physical', kind: 'number', key: 'at', doc: 'first physical address' }, SIZE], flags: ['r', 'w', 'rw'], rules: ['MAP-01', 'MAP-02', 'MAP-03'], example: 'map-domain D iova 0x1000 at 0x20_0000 size 4KiB rw' },
  { verb: 'unmap-domain', call: 'iommu_unmap()', doc: 'Unmaps a range of a domain of a kernel driver. The value is how many bytes went.', operands: [DOMAIN, IOVA, SIZE], flags: [], rules: ['UNM-01', 'UNM-02'], example: 'unmap-domain D iova 0x1000 size 4KiB' },
  { verb: 'attach-domain', call: 'iommu_attach_device()', doc: 'A kernel driver attaches its domain to a device that is alone in its group; with `whole-group` to the group (`iommu_attach_group()`).', operands: [DOMAIN, TO], flags: ['whole-group'], rules: ['ATT-01', 'ATT-02', 'ATT-03'], example: 'attach-domain D to gpu' },
  { verb: 'detach-domain', call: 'iommu_detach_device()', doc: 'The opposite of attach-domain: back to the default domain, or to the blocking one while a user owns the group.', operands: [DOMAIN, FROM], flags: ['whole-group'], rules: ['ATT-04', 'OWN-30'], example: 'detach-domain D from gpu' },
  { verb: 'enforce-coherency', call: 'domain->ops->enforce_cache_coherency()', doc: 'Asks that all DMA through a domain is snooped. The value is 1 when it is from now on, else 0.', operands: [DOMAIN], flags: [], rules: ['COH-02', 'COH-03'], example: 'enforce-coherency D' },
  { verb: 'claim-dma', call: 'iommu_group_claim_dma_owner()', doc: 'Takes DMA ownership of a group for user space, as VFIO does.', operands: [DEVICE], flags: [], rules: ['OWN-04'], example: 'claim-dma gpu' },
  { verb: 'release-dma', call: 'iommu_group_release_dma_owner()', doc: 'Gives DMA ownership back. The value is 1 when the group is still owned.', operands: [DEVICE], flags: [], rules: ['OWN-06'], example: 'release-dma gpu' },
  { verb: 'prepare-reset', call: 'pci_dev_reset_iommu_prepare()', doc: 'What comes before a reset of a PCI function (7.0 and later): it is blocked, and its group takes no other domain.', operands: [DEVICE], flags: [], rules: ['SET-04'], example: 'prepare-reset gpu' },
  { verb: 'finish-reset', call: 'pci_dev_reset_iommu_done()', doc: 'What comes after a reset: the function translates as before.', operands: [DEVICE], flags: [], rules: ['SET-04'], example: 'finish-reset gpu' },
  { verb: 'attach-pasid', call: 'iommu_attach_device_pasid()', doc: 'Requests of the device with this PASID translate through the domain.', operands: [DOMAIN, TO, PASID], flags: [], rules: ['PAS-01', 'PAS-03', 'PAS-05', 'PAS-06'], example: 'attach-pasid D to gpu pasid 5' },
  { verb: 'replace-pasid', call: 'iommu_replace_device_pasid()', doc: 'Exchanges the domain of a PASID.', operands: [DOMAIN, TO, PASID], flags: [], rules: ['PAS-07'], example: 'replace-pasid D to gpu pasid 5' },
  { verb: 'detach-pasid', call: 'iommu_detach_device_pasid()', doc: 'Blocks a PASID of a device.', operands: [DEVICE, PASID], flags: [], rules: ['PAS-08'], example: 'detach-pasid gpu pasid 5' },
  { verb: 'alloc-pasid', call: 'iommu_alloc_global_pasid()', doc: 'Takes the lowest free PASID that the device can send.', operands: [DEVICE], flags: [], rules: ['PAS-13'], example: 'alloc-pasid gpu' },
  { verb: 'free-pasid', call: 'iommu_free_global_pasid()', doc: 'Gives a PASID back.', operands: [PASID], flags: [], rules: ['PAS-13'], example: 'free-pasid pasid 1' },
  { verb: 'enable-pasid', call: 'pci_enable_pasid()', doc: 'Switches PASID of a PCI function on, as the IOMMU driver does at boot in scalable mode.', operands: [DEVICE], flags: [], rules: ['PAS-14'], example: 'enable-pasid gpu' },
  { verb: 'enable-ats', call: 'pci_enable_ats()', doc: 'Switches ATS of a PCI function on, as the IOMMU driver does at boot.', operands: [DEVICE], flags: [], rules: ['PAS-15'], example: 'enable-ats gpu' },
  { verb: 'sva-bind', call: 'iommu_sva_bind_device()', doc: 'Lets the device use the addresses of the process that makes the step. The value is the PASID.', operands: [DEVICE], flags: [], rules: ['SVA-01', 'SVA-02', 'SVA-03', 'SVA-04'], example: 'sva-bind gpu' },
  { verb: 'sva-unbind', call: 'iommu_sva_unbind_device()', doc: 'The opposite of sva-bind.', operands: [DEVICE], flags: [], rules: ['SVA-05'], example: 'sva-unbind gpu' },
  { verb: 'enable-feature', call: 'iommu_dev_enable_feature()', doc: 'Switches a feature of a device on (up to 6.14).', operands: [DEVICE, FEATURE], flags: [], rules: ['FEA-01', 'FEA-02', 'IOPF-02'], example: 'enable-feature gpu sva' },
  { verb: 'disable-feature', call: 'iommu_dev_disable_feature()', doc: 'Switches a feature of a device off (up to 6.14).', operands: [DEVICE, FEATURE], flags: [], rules: ['FEA-01'], example: 'disable-feature gpu sva' },
  { verb: 'aux-attach', call: 'iommu_aux_attach_device()', doc: 'Attaches an auxiliary domain (up to 5.17): it has one PASID of its own, which is the value.', operands: [DOMAIN, TO], flags: [], rules: ['FEA-03'], example: 'aux-attach D to gpu' },
  { verb: 'aux-detach', call: 'iommu_aux_detach_device()', doc: 'The opposite of aux-attach.', operands: [DOMAIN, FROM], flags: [], rules: ['FEA-03'], example: 'aux-detach D from gpu' },
  { verb: 'aux-pasid', call: 'iommu_aux_get_pasid()', doc: 'The PASID of an auxiliary domain on a device.', operands: [DOMAIN, { ...TO, key: 'of' }], flags: [], rules: ['FEA-03'], example: 'aux-pasid D of gpu' },
  { verb: 'dmesg', call: 'dmesg | grep -cF TEXT', doc: 'How many lines of the kernel log, from boot on, contain a text: that is the value.', operands: [{ role: 'text', kind: 'text', doc: 'what to look for, in quotes' }], flags: [], rules: [], example: 'dmesg "unaligned: iova"' },
  { verb: 'report-fault', call: 'iommu_report_device_fault()', doc: 'The device asks for a page (PRI). The value is the response: 0 success, 1 invalid, 15 failure. `more`: further requests of the same group follow.', operands: [DEVICE, { role: 'address', kind: 'number', key: 'at', doc: 'the address' }, { ...PASID, optional: true }], flags: ['r', 'w', 'more'], rules: ['IOPF-01'], example: 'report-fault gpu at 0x1000 pasid 5' },
];

/** The kernel command line as /proc/cmdline prints it, without what says nothing about IOMMUs but much about people. */

/** Parameters that change IOMMU, PCI, VFIO or driver binding behaviour. */
const RELEVANT = /^(?:intel_iommu|amd_iommu|amd_iommu_intr|iommu|iommu\.\w+|arm-smmu[\w-]*\.\w+|intremap|pci|pcie_\w+|vfio[\w-]*\.\w+|vfio_iommu\w*\.\w+|iommufd\.\w+|kvm\w*\.\w+|rd\.driver\.\w+|modprobe\.blacklist|module_blacklist|efi|memmap|mem|swiotlb|hugepages|hugepagesz|default_hugepagesz)(?:=|$)/;

/** @returns the first line, kernel parameters of interest only, in their order. */
export function relevantCommandLine(text: string): string {
  const line = text.trim().split(/\r?\n/, 1)[0] ?? '';
  return line.replace(/^(?:Kernel )?[Cc]ommand line:\s*/, '').split(/\s+/).filter((word) => RELEVANT.test(word) && !word.includes('"')).join(' ');
}

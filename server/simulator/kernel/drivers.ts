/** What the kernel knows of drivers by name: which of them leave DMA to their user. */

/** OWN-10: drivers that set `driver_managed_dma`, by the name that `driver` links show. Port drivers and stubs never do DMA (OWN-12). */
const DRIVER_MANAGED_DMA: ReadonlySet<string> = new Set([
  'vfio-pci', 'mlx5_vfio_pci', 'hisi-acc-vfio-pci', 'pds-vfio-pci', 'virtio-vfio-pci', 'qat_vfio_pci', 'nvgrace-gpu-vfio-pci', 'xe-vfio-pci',
  'vfio-platform', 'vfio-amba', 'vfio-fsl-mc', 'vfio-cdx', 'pci-stub', 'pcieport',
]);

/** Variants of vendors are named like the one they vary. */
const VFIO_NAME = /(^|[-_])vfio([-_]|$)/;

/** Bound through VFIO: user space reaches the device by its group or character device. */
export const isVfioDriver = (driver: string | null): boolean => driver !== null && VFIO_NAME.test(driver);

/** OWN-02, OWN-10: such a driver never counts as a kernel user of the group's DMA; everything else does (OWN-11). */
export const managesDma = (driver: string): boolean => DRIVER_MANAGED_DMA.has(driver) || isVfioDriver(driver);

/** OLD-02: the only name that VFIO's viability test allows; port drivers pass by header type, vfio-pci by being registered. */
export const VIABLE_DRIVERS: ReadonlySet<string> = new Set(['pci-stub']);

/** Facts about drivers of IOMMUs on embedded and big machines of which only the kernel's side is known. */
import type { EmbeddedIommuName } from '../../description.js';

export interface EmbeddedIommu {
  /** For people. */
  readonly title: string;
  /** Bits of input address unless described. */
  readonly addressWidth: number;
  /** Leaf sizes as powers of two, one list for each granule, smallest first. */
  readonly pages: readonly (readonly number[])[];
  /** Its tables are those of io-pgtable-arm. */
  readonly armTables?: boolean;
  /** Each group has its table, but nobody else may have one made: VFIO's type1 and iommufd do not work with it. */
  readonly onlyKernelTables?: boolean;
  /** It exists only on machines that a device tree describes. */
  readonly deviceTreeOnly?: boolean;
  /** Interrupts are isolated beside it. */
  readonly isolatedMsi?: boolean;
}

const LPAE = [[12, 21, 30]] as const;
const SHORT = [[12, 16, 20, 24]] as const;
const FOUR_KIB = [[12]] as const;

export const EMBEDDED: Readonly<Record<EmbeddedIommuName, EmbeddedIommu>> = {
  smmuv2: { title: 'Arm SMMUv1 or v2', addressWidth: 48, pages: [[12, 21, 30], [14, 25], [16, 29]], armTables: true, isolatedMsi: true },
  dart: { title: "Apple's DART", addressWidth: 32, pages: [[14]], deviceTreeOnly: true },
  mediatek: { title: "MediaTek's M4U", addressWidth: 34, pages: SHORT, deviceTreeOnly: true },
  'mtk-v1': { title: "MediaTek's M4U of the first generation", addressWidth: 32, pages: FOUR_KIB, deviceTreeOnly: true },
  'tegra-smmu': { title: "Tegra's SMMU", addressWidth: 32, pages: FOUR_KIB, deviceTreeOnly: true },
  // It translates windows, not pages: its domains have no map operation (MAP-01).
  pamu: { title: "Freescale's PAMU", addressWidth: 36, pages: [[]], deviceTreeOnly: true },
  power: { title: "IBM POWER's TCE tables", addressWidth: 59, pages: [[16, 21, 28]], onlyKernelTables: true, deviceTreeOnly: true },
  s390: { title: 'the PCI translation of IBM Z', addressWidth: 64, pages: FOUR_KIB, isolatedMsi: true },
  exynos: { title: "Exynos' System MMU", addressWidth: 32, pages: [[12, 16, 20]], deviceTreeOnly: true },
  msm: { title: "Qualcomm's first IOMMU", addressWidth: 32, pages: SHORT, deviceTreeOnly: true },
  qcom: { title: "Qualcomm's IOMMU with secure contexts", addressWidth: 32, pages: LPAE, armTables: true, deviceTreeOnly: true },
  omap: { title: "OMAP's IOMMU", addressWidth: 32, pages: SHORT, deviceTreeOnly: true },
  rockchip: { title: "Rockchip's IOMMU", addressWidth: 32, pages: FOUR_KIB, deviceTreeOnly: true },
  sprd: { title: "Spreadtrum's IOMMU", addressWidth: 32, pages: FOUR_KIB, deviceTreeOnly: true },
  sun50i: { title: "Allwinner's IOMMU", addressWidth: 32, pages: FOUR_KIB, deviceTreeOnly: true },
  ipmmu: { title: "Renesas' IPMMU", addressWidth: 32, pages: LPAE, armTables: true, deviceTreeOnly: true },
};

export const isEmbedded = (architecture: string): architecture is EmbeddedIommuName => Object.hasOwn(EMBEDDED, architecture);

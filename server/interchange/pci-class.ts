/** PCI class codes: the names that lspci prints, and what to call a function of a class. */

/** Base class and subclass by the name in the PCI ID database, for dumps made without -nn. */
const CLASS_BY_NAME: Readonly<Record<string, number>> = {
  'Non-VGA unclassified device': 0x0000, 'VGA compatible unclassified device': 0x0001,
  'SCSI storage controller': 0x0100, 'IDE interface': 0x0101, 'RAID bus controller': 0x0104, 'SATA controller': 0x0106,
  'Serial Attached SCSI controller': 0x0107, 'Non-Volatile memory controller': 0x0108, 'Mass storage controller': 0x0180,
  'Ethernet controller': 0x0200, 'Infiniband controller': 0x0207, 'Fabric controller': 0x0208, 'Network controller': 0x0280,
  'VGA compatible controller': 0x0300, 'XGA compatible controller': 0x0301, '3D controller': 0x0302, 'Display controller': 0x0380,
  'Multimedia video controller': 0x0400, 'Multimedia audio controller': 0x0401, 'Audio device': 0x0403, 'Multimedia controller': 0x0480,
  'RAM memory': 0x0500, 'FLASH memory': 0x0501, 'CXL': 0x0502, 'Memory controller': 0x0580,
  'Host bridge': 0x0600, 'ISA bridge': 0x0601, 'PCI bridge': 0x0604, 'Bridge': 0x0680,
  'Serial controller': 0x0700, 'Parallel controller': 0x0701, 'Communication controller': 0x0780,
  'PIC': 0x0800, 'DMA controller': 0x0801, 'Timer': 0x0802, 'RTC': 0x0803, 'SD Host controller': 0x0805, 'IOMMU': 0x0806,
  'Generic system peripheral': 0x0880, 'System peripheral': 0x0880, 'Input device controller': 0x0980,
  'FireWire (IEEE 1394)': 0x0c00, 'USB controller': 0x0c03, 'Fibre Channel': 0x0c04, 'SMBus': 0x0c05, 'IPMI Interface': 0x0c07,
  'Serial bus controller': 0x0c80, 'Wireless controller': 0x0d80, 'Encryption controller': 0x1080, 'Signal processing controller': 0x1180,
  'Performance counters': 0x1101, 'Processing accelerators': 0x1200, 'Non-Essential Instrumentation': 0x1300,
};

/** @returns base class and subclass, 16 bits. */
export const classByName = (name: string): number | undefined => CLASS_BY_NAME[name];

/** Short names by base class and subclass, else by base class. */
const STEM_BY_CLASS: Readonly<Record<number, string>> = {
  0x0101: 'ide', 0x0104: 'raid', 0x0106: 'sata', 0x0107: 'sas', 0x0108: 'nvme', 0x0280: 'wifi', 0x0207: 'infiniband',
  0x0302: 'gpu', 0x0401: 'audio', 0x0403: 'audio', 0x0480: 'audio', 0x0500: 'sram', 0x0600: 'host_bridge', 0x0601: 'isa', 0x0604: 'br',
  0x0700: 'serial', 0x0701: 'parallel', 0x0780: 'comm', 0x0800: 'pic', 0x0805: 'sdhci', 0x0806: 'iommu_dev', 0x0807: 'rcec', 0x0c03: 'usb',
  0x0c05: 'smbus', 0x0c07: 'ipmi', 0x0c80: 'serial_bus', 0x1080: 'crypto', 0x1101: 'perf', 0x1180: 'signal', 0x1300: 'dummy',
};
const STEM_BY_BASE: readonly string[] = [
  'dev', 'storage', 'nic', 'gpu', 'media', 'mem', 'br', 'comm', 'peripheral', 'input', 'dock', 'cpu', 'serial_bus', 'wireless',
  'io', 'satellite', 'crypto', 'signal', 'accel', 'dummy',
];

/** "gpu", "nvme", "host_bridge" …: what people call a function of this 24-bit class; "dev" when unknown. */
export function nameStem(classCode: number | undefined): string {
  if (classCode === undefined) return 'dev';
  return STEM_BY_CLASS[classCode >> 8] ?? STEM_BY_BASE[classCode >> 16] ?? 'dev';
}

/** Vendors by the beginning of the name in the PCI ID database, for dumps made without -nn. */
const VENDOR_BY_NAME: readonly (readonly [string, number])[] = [
  ['Intel Corporation', 0x8086], ['Advanced Micro Devices, Inc. [AMD/ATI]', 0x1002], ['Advanced Micro Devices, Inc. [AMD]', 0x1022],
  ['NVIDIA Corporation', 0x10de], ['Realtek Semiconductor Co., Ltd.', 0x10ec], ['Samsung Electronics Co Ltd', 0x144d], ['ASMedia Technology Inc.', 0x1b21],
  ['Broadcom Inc. and subsidiaries', 0x14e4], ['Sandisk Corp', 0x15b7], ['SK hynix', 0x1c5c], ['Qualcomm Atheros', 0x168c], ['Marvell Technology Group Ltd.', 0x1b4b],
  ['ASPEED Technology, Inc.', 0x1a03], ['Mellanox Technologies', 0x15b3], ['MEDIATEK Corp.', 0x14c3], ['Ampere Computing, LLC', 0x1def], ['Red Hat, Inc.', 0x1af4],
];

/** The vendor that a device name of lspci begins with. */
export const vendorByName = (name: string): number | undefined => VENDOR_BY_NAME.find(([vendor]) => name.startsWith(vendor))?.[1];

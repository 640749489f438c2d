/**
 * Device IDs by name, for dumps without numbers, of the devices that the kernel knows by ID to isolate or to keep their ACS registers
 * elsewhere (AQK-02, AQK-05, AQK-06): without the ID the kernel's answer cannot be had.
 */

const INTEL = 0x8086;

/** Root ports of a chipset family: the first port's ID, and by how much each further one is higher. */
interface PortFamily {
  readonly name: RegExp;
  readonly first: number;
  readonly step: 1 | 2;
  /** Number of the port that `first` is. */
  readonly from?: number;
}

const PORT_NAME = /PCI(?: ?Express|e)? Root Port #?(\d{1,2})\b/;

/** As the PCI ID database names them, older editions too. */
const PORT_FAMILIES: readonly PortFamily[] = [
  { name: /\b5 Series\/3400 Series Chipset\b/, first: 0x3b42, step: 2 },
  { name: /\b6 Series\/C200 Series Chipset Family\b/, first: 0x1c10, step: 2 },
  { name: /\b7 Series\/C21[06] (?:Series )?Chipset Family\b/, first: 0x1e10, step: 2 },
  { name: /\b8 Series\/C220 Series Chipset Family\b/, first: 0x8c10, step: 2 },
  { name: /\b8 Series PCI/, first: 0x9c10, step: 2 },
  { name: /\b9 Series Chipset Family\b/, first: 0x8c90, step: 2 },
  { name: /\bWildcat Point-LP\b/, first: 0x9c90, step: 2 },
  { name: /\bC600\/X79 series chipset\b/, first: 0x1d10, step: 2 },
  { name: /\bC610\/X99 series chipset\b/, first: 0x8d10, step: 2 },
  { name: /\b(?:100 Series\/C230 Series Chipset Family|Sunrise Point-H)\b/, first: 0xa167, step: 1, from: 17 },
  { name: /\b(?:100 Series\/C230 Series Chipset Family|Sunrise Point-H)\b/, first: 0xa110, step: 1 },
  { name: /\b200 Series PCH\b/, first: 0xa2e7, step: 1, from: 17 },
  { name: /\b200 Series PCH\b/, first: 0xa290, step: 1 },
  { name: /\bSunrise Point-LP\b/, first: 0x9d10, step: 1 },
];

/** Network functions of one name and one ID. */
const NETWORK: readonly (readonly [RegExp, number])[] = [
  [/\bI350 Gigabit Network Connection\b/, 0x1521], [/\bI350 Gigabit Fiber Network Connection\b/, 0x1522],
  [/\b82599ES 10-Gigabit SFI\/SFP\+ Network Connection\b/, 0x10fb], [/\bEthernet Connection \(2\) I219-LM\b/, 0x15b7], [/\bEthernet Connection \(2\) I219-V\b/, 0x15b8],
];

/** Families of which several IDs have one name, some of them listed by the kernel. */
const LISTED_FAMILIES = /\b(?:82571|82575|82576|82580|82598|82599|I350|X520)\w*\b/;

/** @param name what lspci prints of vendor and device; undefined where it does not tell one ID. */
export function deviceByName(vendor: number | undefined, name: string): number | undefined {
  if (vendor !== INTEL) return undefined;
  const port = PORT_NAME.exec(name)?.[1];
  if (port === undefined) return NETWORK.find(([pattern]) => pattern.test(name))?.[1];
  const number = Number(port);
  const family = PORT_FAMILIES.find((each) => each.name.test(name) && number >= (each.from ?? 1));
  return family === undefined || number === 0 ? undefined : family.first + (number - (family.from ?? 1)) * family.step;
}

/** True for a name behind which a device may be that the kernel knows by its ID. */
export const mayBeKnownById = (vendor: number | undefined, name: string | undefined): boolean =>
  name === undefined || (vendor === INTEL && LISTED_FAMILIES.test(name)) || OTHER_VENDORS.test(name);

/** Makers other than Intel and AMD whose devices are in the kernel's table. */
const OTHER_VENDORS = /^(?:Solarflare|Emulex|Broadcom|Cavium|Qualcomm|HXT|Applied Micro|Ampere|Amazon|Annapurna|Zhaoxin|NXP|Freescale|Beijing Wangxun|Wangxun|Loongson)\b/i;

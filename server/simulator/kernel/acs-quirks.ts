/**
 * Devices of which Linux knows by id whether they isolate, whatever their ACS registers say (section 2.4). Plain data; `acs.ts`
 * reads it.
 */
import type { FunctionType } from '../description.js';
import { groupBy } from '../fabric/multimap.js';
import { everySecond, type IdEntry } from './quirk-ids.js';

/** ACS register bits. */
export const ACS = { SV: 0x01, TB: 0x02, RR: 0x04, CR: 0x08, UF: 0x10, EC: 0x20, DT: 0x40 } as const;

/** What grouping asks for: SV, RR, CR and UF (0x1d). */
export const REQUIRED_ACS = ACS.SV | ACS.RR | ACS.CR | ACS.UF;

const NETWORK_CLAIMS = REQUIRED_ACS | ACS.TB | ACS.DT;

/** What must hold beyond the ids, or the table has no opinion. */
export type QuirkCondition =
  /** AQK-01: a multifunction device on a root bus of a machine whose firmware describes an AMD IOMMU. */
  | 'multifunction-on-amd-root-bus'
  /** AQK-05: the boot-time quirk switched the peer decoding off; without it nothing is claimed. */
  | 'boot-quirk-enabled'
  /** AQK-06: an ACS capability, whose control register sits 8 bytes behind the capability's start. */
  | 'control-at-8';

export interface AcsQuirk {
  readonly rule: string;
  readonly family: string;
  readonly vendor: number;
  readonly devices: 'any' | readonly IdEntry[];
  /** Only functions of these types; another type: no opinion. */
  readonly types?: readonly FunctionType[];
  readonly condition?: QuirkCondition;
  /** Bits claimed as in force. */
  readonly claims: number;
  /** Bits asked for are first cut down to these. */
  readonly asksOnly?: number;
  /** First kernel, major * 1000 + minor. */
  readonly since: number;
  /** Ids that are not listed (of the given types) are declared not isolating instead of "no opinion". */
  readonly refusesOthers?: boolean;
}

const INTEL = 0x8086;
const OLD = 0;
/** Came between 4.19 and 5.10; the exact release makes no difference to a profile. */
const AFTER_4_19 = 5008;
const ROOT_PORT: readonly FunctionType[] = ['root-port'];
const PORT: readonly FunctionType[] = ['root-port', 'downstream-port'];

const network = (family: string, vendor: number, devices: readonly IdEntry[], since = OLD): AcsQuirk => ({ rule: 'AQK-02', family, vendor, devices, claims: NETWORK_CLAIMS, since });

/** Chipset root ports that have no ACS capability (AQK-05, AQE-01). */
export const INTEL_PCH: readonly IdEntry[] = [
  [0x3b42, 0x3b51], [0x1c10, 0x1c1f], [0x1e10, 0x1e1f], [0x8c10, 0x8c1f], [0x9c10, 0x9c1b], [0x9c90, 0x9c9b],
  ...everySecond(0x1d10, 0x1d1e), [0x8d10, 0x8d1e], ...everySecond(0x8c90, 0x8c9e),
];

/** Chipset root ports whose control register is in the wrong place (AQK-06, AQE-02). */
export const INTEL_SPT: readonly IdEntry[] = [[0xa110, 0xa11f], [0xa167, 0xa16a], [0xa290, 0xa29f], [0xa2e7, 0xa2ee], [0x9d10, 0x9d1b]];

/**
 * In table order: the first entry with an opinion decides. Pericom's switches have none: what the kernel repairs in them when it switches
 * ACS on claims nothing (AQK-15), so that their bits decide.
 */
export const ACS_QUIRKS: readonly AcsQuirk[] = [
  ...[0x1002, 0x1022].map((vendor): AcsQuirk => ({
    rule: 'AQK-01', family: 'AMD southbridge', vendor, devices: vendor === 0x1002 ? [0x4385, 0x439c, 0x4383, 0x439d, 0x4384, 0x4399] : [0x780f, 0x7809],
    condition: 'multifunction-on-amd-root-bus', asksOnly: ACS.RR | ACS.CR | ACS.EC | ACS.DT, claims: ACS.RR | ACS.CR, since: OLD,
  })),
  network('Solarflare network', 0x1924, [0x0903, 0x0923, 0x0a03]),
  network('Intel 82598/82599 network', INTEL, [
    0x10c6, 0x10db, 0x10dd, 0x10e1, 0x10f1, [0x10f7, 0x10fc], 0x1507, 0x1514, 0x151c, 0x1529, 0x152a, 0x154d, 0x154f, 0x1551, 0x1558,
  ]),
  network('Intel 82580 network', INTEL, [0x1509, 0x150e, 0x150f, 0x1510, 0x1511, 0x1516, 0x1527]),
  network('Intel 82576 network', INTEL, [0x10c9, 0x10e6, 0x10e7, 0x10e8, 0x150a, 0x150d, 0x1518, 0x1526]),
  network('Intel 82575 network', INTEL, [0x10a7, 0x10a9, 0x10d6]),
  network('Intel I350 network', INTEL, [[0x1521, 0x1524]]),
  network('Intel 82571 network', INTEL, [0x105e, 0x105f, 0x1060, 0x10d9]),
  network('Intel I219 network', INTEL, [0x15b7, 0x15b8]),
  { rule: 'AQK-03', family: 'Intel integrated endpoint', vendor: INTEL, devices: 'any', types: ['integrated-endpoint'], claims: REQUIRED_ACS, since: AFTER_4_19 },
  { rule: 'AQK-04', family: 'Qualcomm root port', vendor: 0x17cb, devices: [0x0400, 0x0401], claims: REQUIRED_ACS, since: OLD },
  { rule: 'AQK-04', family: 'Qualcomm SA8775P root port', vendor: 0x17cb, devices: [0x0115], claims: REQUIRED_ACS, since: 6012 },
  { rule: 'AQK-04', family: 'Qualcomm root port', vendor: 0x17cb, devices: [0x0111, 0x0120], claims: REQUIRED_ACS, since: 6019 },
  { rule: 'AQK-04', family: 'HXT root port', vendor: 0x1dbf, devices: [0x0401], claims: REQUIRED_ACS, since: AFTER_4_19 },
  { rule: 'AQK-05', family: 'Intel chipset root port', vendor: INTEL, devices: INTEL_PCH, types: ROOT_PORT, condition: 'boot-quirk-enabled', claims: REQUIRED_ACS, since: OLD },
  { rule: 'AQK-06', family: 'Intel Sunrise Point root port', vendor: INTEL, devices: INTEL_SPT, types: ROOT_PORT, condition: 'control-at-8', claims: 0, since: OLD },
  network('Emulex network', 0x19a2, [0x0710]),
  network('Emulex network', 0x10df, [0x0720]),
  { rule: 'AQK-07', family: 'Cavium ThunderX root port', vendor: 0x177d, devices: [[0xa000, 0xa7ff], 0xaf84, 0xb884], types: ROOT_PORT, claims: REQUIRED_ACS, since: OLD },
  network('Cavium network', 0x177d, [0xa026, 0xa059, 0xa060], 5017),
  { rule: 'AQK-08', family: 'X-Gene root port', vendor: 0x10e8, devices: [0xe004], claims: REQUIRED_ACS, since: OLD },
  { rule: 'AQK-08', family: 'Ampere eMAG root port', vendor: 0x1def, devices: [[0xe005, 0xe00c]], claims: REQUIRED_ACS, since: OLD },
  network('Broadcom network', 0x14e4, [0x16d7], 5014),
  network('Broadcom network', 0x14e4, [[0x1750, 0x1752]], 6000),
  network('Broadcom network', 0x14e4, [[0x1760, 0x1763]], 6012),
  { rule: 'AQK-09', family: 'Broadcom iProc PAXB', vendor: 0x14e4, devices: [0xd714], claims: REQUIRED_ACS, since: AFTER_4_19 },
  { rule: 'AQK-10', family: 'Amazon Annapurna root port', vendor: 0x1c36, devices: [0x0031], types: ROOT_PORT, claims: REQUIRED_ACS, since: AFTER_4_19 },
  network('Zhaoxin network', 0x1d17, [0x3038, 0x3104, 0x9083], AFTER_4_19),
  { rule: 'AQK-11', family: 'Zhaoxin port', vendor: 0x1d17, devices: [[0x0710, 0x071e], 0x0721, [0x0723, 0x0752]], types: PORT, claims: REQUIRED_ACS, since: AFTER_4_19, refusesOthers: true },
  {
    rule: 'AQK-12', family: 'NXP LX2 root port', vendor: 0x1957, claims: REQUIRED_ACS, since: 5015,
    devices: [[0x8d80, 0x8d83], [0x8d88, 0x8d8b], [0x8d90, 0x8d93], [0x8d98, 0x8d9b], 0x8da0, 0x8da1, 0x8da8, 0x8da9, 0x8db0, 0x8db1, 0x8db8, 0x8db9],
  },
  {
    rule: 'AQK-13', family: 'Wangxun network', vendor: 0x8088, claims: REQUIRED_ACS, since: 6003, refusesOthers: true,
    devices: [[0x0100, 0x010f], 0x1001, 0x2001, 0x5010, 0x5025, 0x5040, 0x5110, 0x5125, 0x5140],
  },
  { rule: 'AQK-14', family: 'Loongson root port', vendor: 0x0014, devices: [0x3c09, 0x3c19, 0x3c29, 0x7a09, 0x7a19, 0x7a29, 0x7a39, 0x7a49, 0x7a59, 0x7a69], claims: REQUIRED_ACS, since: 6019 },
];

const BY_VENDOR = groupBy(ACS_QUIRKS, (quirk) => quirk.vendor);

/** Entries that may have an opinion about a vendor's devices, in table order. */
export const quirksOfVendor = (vendor: number): readonly AcsQuirk[] => BY_VENDOR.get(vendor) ?? [];

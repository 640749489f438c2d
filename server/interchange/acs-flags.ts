/** ACS register bits by the names that lspci and the PCIe specification give them (PCIE r6 7.7.11). */
const BIT_OF: Readonly<Record<string, number>> = {
  SV: 0x01, TB: 0x02, RR: 0x04, CR: 0x08, UF: 0x10, EC: 0x20, DT: 0x40,
  SrcValid: 0x01, TransBlk: 0x02, ReqRedir: 0x04, CmpltRedir: 0x08, UpstreamFwd: 0x10, EgressCtrl: 0x20, DirectTrans: 0x40,
};
const SHORT_NAMES = ['SV', 'TB', 'RR', 'CR', 'UF', 'EC', 'DT'] as const;

/** What the kernel switches on at boot if the capability has it: SV, RR, CR, UF (ACE-03). */
export const KERNEL_ENABLES = 0x1d;

/** Bits of `["SV", "RR"]`; names that nobody defined are ignored. */
export const acsBits = (names: readonly string[]): number => names.reduce((bits, name) => bits | (BIT_OF[name] ?? 0), 0);

/** Bits of `SrcValid+ TransBlk- …`. */
export const acsBitsOfFlags = (flags: string): number => acsBits([...flags.matchAll(/\b(\w+)\+/g)].map((match) => match[1]!));

/** "SV, RR, CR, UF"; "none" when no bit is set. */
export const acsNames = (bits: number): string => SHORT_NAMES.filter((_, bit) => (bits >> bit) & 1).join(', ') || 'none';

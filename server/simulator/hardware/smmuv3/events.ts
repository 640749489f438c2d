/** Events of an SMMUv3 (SMMU 1.8), and what Linux prints about them (SMMU 2.3). */
import type { UnitFault, UnitRequest } from '../architecture.js';
import type { SmmuDriver } from './driver.js';

export const EVENT = {
  badStreamId: 0x02, steFetch: 0x03, badSte: 0x04, badAtsRequest: 0x05, streamDisabled: 0x06, translationForbidden: 0x07, badSubstreamId: 0x08, cdFetch: 0x09, badCd: 0x0a,
  walkAbort: 0x0b, translation: 0x10, addressSize: 0x11, access: 0x12, permission: 0x13,
} as const;

const NAMES: Readonly<Record<number, string>> = {
  0x02: 'C_BAD_STREAMID', 0x03: 'F_STE_FETCH', 0x04: 'C_BAD_STE', 0x05: 'F_BAD_ATS_TREQ', 0x06: 'F_STREAM_DISABLED', 0x07: 'F_TRANSL_FORBIDDEN', 0x08: 'C_BAD_SUBSTREAMID',
  0x09: 'F_CD_FETCH', 0x0a: 'C_BAD_CD', 0x0b: 'F_WALK_EABT', 0x10: 'F_TRANSLATION', 0x11: 'F_ADDR_SIZE', 0x12: 'F_ACCESS', 0x13: 'F_PERMISSION',
};

/** What the event says to people who do not know its name. */
const MEANINGS: Readonly<Record<number, string>> = {
  0x02: 'the stream table has no entry for this stream ID', 0x03: 'the stream table cannot be read', 0x04: 'the stream table entry is invalid', 0x05: 'this stream may not ask for translations (ATS)',
  0x06: 'the stream takes no requests of this kind, with or without PASID', 0x07: 'this stream may not send translated requests', 0x08: 'the stream has no context descriptor for this PASID',
  0x09: 'the context descriptor cannot be read', 0x0a: 'the context descriptor is invalid', 0x0b: 'a translation table cannot be read', 0x10: 'nothing is mapped at the address',
  0x11: 'a translation table leads to an address that is too wide', 0x12: 'the access flag of the page is clear', 0x13: 'the page does not allow this access',
};

/** CLASS: for what the address was needed that could not be translated. */
export const CLASS = { contextFetch: 0, tableFetch: 1, input: 2 } as const;

/** Names that Linux does not print. */
const UNNAMED: ReadonlySet<number> = new Set([EVENT.badAtsRequest, EVENT.translationForbidden, EVENT.walkAbort]);

/** Where and how a translation failed, for the record (SMMU 1.8.2). */
export interface FaultPlace {
  readonly stageTwo: boolean;
  /** One of CLASS. */
  readonly class: number;
  /** Of stage 2 the intermediate physical address; of a fetch that was aborted its own address. */
  readonly address: bigint | null;
  /** What was done where it failed; absent = as the request does. */
  readonly reads?: boolean;
}

const ADDRESS_FIELD = 0xf_ffff_ffff_f000n;
/** Fetch addresses have their lower bits too: the field is 51:3. */
const FETCH_FIELD = 0xf_ffff_ffff_fff8n;

const headWord = (code: number, { requesterId, pasid }: UnitRequest): bigint =>
  BigInt(code) | (BigInt(requesterId) << 32n) | (pasid === undefined ? 0n : (1n << 11n) | (BigInt(pasid) << 12n));

/** C_* and what failed before a table was walked. @param fetched address of the structure that could not be read */
export function configurationFault(code: number, request: UnitRequest, recorded: boolean, fetched: bigint | null = null): UnitFault {
  return { kind: 'fault', code, name: NAMES[code]!, recorded, record: [headWord(code, request), 0n, 0n, fetched === null ? 0n : fetched & FETCH_FIELD] };
}

/** F_BAD_ATS_TREQ and F_TRANSL_FORBIDDEN: the address is recorded as well. */
export function refusedAddress(code: number, request: UnitRequest, recorded: boolean): UnitFault {
  return { kind: 'fault', code, name: NAMES[code]!, recorded, record: [headWord(code, request), request.access === 'read' ? READS : 0n, request.address, 0n] };
}

/** F_WALK_EABT and the faults of a walk. @param recorded CD.R or STE.S2R */
export function walkFault(code: number, request: UnitRequest, place: FaultPlace, recorded: boolean, stalls: boolean): UnitFault {
  const withPasid = request.pasid !== undefined;
  const flags = (stalls ? STALL : 0n) | (withPasid && request.privileged ? PRIVILEGED : 0n) | (withPasid && request.execute ? INSTRUCTION : 0n)
    | (place.reads ?? request.access === 'read' ? READS : 0n) | (place.stageTwo ? STAGE_TWO : 0n) | (BigInt(place.class) << 40n);
  const field = code === EVENT.walkAbort ? FETCH_FIELD : ADDRESS_FIELD;
  return { kind: 'fault', code, name: NAMES[code]!, recorded, record: [headWord(code, request), flags, request.address, place.address === null ? 0n : place.address & field] };
}

const STALL = 1n << 31n;
const PRIVILEGED = 1n << 33n;
const INSTRUCTION = 1n << 34n;
const READS = 1n << 35n;
const STAGE_TWO = 1n << 39n;

export const meaningOf = ({ code }: UnitFault): string => MEANINGS[code] ?? 'unknown';

const CLASS_TEXTS = ['CD fetch', 'Stage 1 translation table fetch', 'Input address caused fault', 'Reserved'];
const hexadecimal = (value: bigint): string => `0x${value.toString(16)}`;
/** As printk's `%#x` prints 0. */
const alternate = (value: bigint): string => (value === 0n ? '0' : hexadecimal(value));

/** The lines of one recorded event. @param client name of the device that the stream ID is known to belong to */
export function eventLines({ code, record = [] }: UnitFault, unit: string, client: string | null, style: SmmuDriver['eventLines']): readonly string[] {
  const line = (text: string): string => `arm-smmu-v3 ${unit}: ${text}`;
  const raw = [`event 0x${code.toString(16).padStart(2, '0')} received:`, ...record.map((word) => `\t0x${word.toString(16).padStart(16, '0')}`)];
  return (style === 'raw' ? raw : [...raw, ...decoded(code, record, client)]).map(line);
}

function decoded(code: number, [word0 = 0n, word1 = 0n, address = 0n, word3 = 0n]: readonly bigint[], client: string | null): string[] {
  const ssid = (word0 & (1n << 11n)) === 0n ? 0n : (word0 >> 12n) & 0xf_ffffn;
  const head = `event: ${UNNAMED.has(code) ? 'UNKNOWN' : NAMES[code]} client: ${client ?? '(unassigned sid)'} sid: ${alternate(word0 >> 32n)} ssid: ${alternate(ssid)}`;
  if (code === EVENT.steFetch || code === EVENT.cdFetch) return [`${head} fetch_addr: ${alternate(word3 & FETCH_FIELD)}`];
  if (code < EVENT.translation) return [head];
  const has = (bit: bigint): boolean => (word1 & bit) !== 0n;
  const kind = Number((word1 >> 40n) & 3n);
  const table = code === EVENT.permission && kind === CLASS.tableFetch ? (has(1n << 44n) ? ' ttd_read' : ' ttd_write') : '';
  const words = [has(PRIVILEGED) ? 'priv' : 'unpriv', has(INSTRUCTION) ? 'inst' : 'data', has(READS) ? 'read' : 'write', has(STAGE_TWO) ? 's2' : 's1'].join(' ');
  return [`${head} iova: ${alternate(address)} ipa: ${alternate(word3 & ADDRESS_FIELD)}`, `${words} "${CLASS_TEXTS[kind]}"${table}${has(STALL) ? ' stall' : ''} stag: ${alternate(word1 & 0xffffn)}`];
}

/** What a simulation answers: plain data, addressed by `SubjectId`. */
import type { SubjectId } from './description.js';
import type { AddressRange, Iova, PhysicalAddress } from './memory/address.js';
import type { ReservedType } from './description.js';
import type { FaultCode, TraceEvent } from './trace/events.js';

export interface Report {
  readonly hosts: readonly HostReport[];
  /** One per host (its owners and top-level questions), then one per scenario, in the order of the description. */
  readonly runs: readonly RunReport[];
}

export interface HostReport {
  readonly host: SubjectId;
  /** The profile that was used ("6.12"), and the version asked for. */
  readonly kernel: { readonly asked: string; readonly profile: string };
  readonly groups: readonly GroupReport[];
  /** Functions that no IOMMU unit covers or that have no group for another reason, with the reason. */
  readonly ungrouped: readonly { readonly device: SubjectId; readonly why: string }[];
  /** What the import did not know and what depends on it. */
  readonly unknowns: readonly { readonly subject: SubjectId; readonly text: string; readonly affects: readonly SubjectId[] }[];
  /** Boot lines that the kernel would log about the IOMMU. */
  readonly messages: readonly string[];
}

export interface GroupReport {
  /** Position in the order of formation; real numbers depend on the whole enumeration. */
  readonly number: number;
  readonly members: readonly SubjectId[];
  /** Per member: the chain of facts that put it there, in order. Worked out when it is read. */
  readonly why: readonly { readonly device: SubjectId; readonly reasons: readonly GroupReason[] }[];
  readonly defaultDomain: string;
  readonly reserved: readonly ReservedRegionReport[];
  /** True when a fact that the grouping depends on is unknown. */
  readonly uncertain: boolean;
}

export interface GroupReason {
  readonly text: string;
  readonly rules: readonly string[];
  /** The port, bridge or sibling that the fact is about. */
  readonly subject?: SubjectId;
}

export interface ReservedRegionReport {
  readonly range: AddressRange;
  readonly type: ReservedType;
  /** The word and line that sysfs shows. */
  readonly line: string;
  readonly subject?: SubjectId;
}

export interface RunReport {
  readonly subject: SubjectId;
  readonly name: string;
  readonly host: SubjectId;
  readonly kind: 'host' | 'scenario';
  /** Every step and DMA in order. */
  readonly actions: readonly ActionReport[];
  readonly final: FinalState;
  /** Set when a bound was hit (steps, memory) or an analysis failed: what stopped, in words. */
  readonly stopped?: string;
}

export type ActionReport = StepReport | DmaReport | NeverReport;

export interface StepReport {
  readonly kind: 'step';
  readonly id: SubjectId;
  /** The statement it came from when an owner was expanded, else the same as `id`. */
  readonly origin: SubjectId;
  readonly text: string;
  readonly call: string;
  /** "ok", or the errno's name. */
  readonly result: string;
  /** What the call returned, by output name; numbers and addresses as they are. */
  readonly value?: Readonly<Record<string, bigint | string | boolean>>;
  /** The number among them that `expect value` is about. */
  readonly answer?: bigint;
  /** Kernel log lines during the call. */
  readonly messages: readonly string[];
  /** Why it answered so: the check that failed, or the effects. */
  readonly trace: readonly TraceEvent[];
  readonly rules: readonly string[];
  readonly expectation?: ExpectationReport;
  /** Devices that caused a failure, the offending one first. */
  readonly offenders: readonly SubjectId[];
}

export type DmaOutcomeKind =
  | 'memory' | 'peer' | 'interrupt' | 'fault' | 'blocked' | 'dropped'
  /** It met an IOMMU whose hardware this version does not simulate. */
  | 'not-modelled';

export interface DmaReport {
  readonly kind: 'dma';
  readonly id: SubjectId;
  readonly text: string;
  readonly device: SubjectId;
  readonly outcome: DmaOutcomeKind;
  /** Where it arrived: host physical address of the first byte. */
  readonly address?: PhysicalAddress;
  /** For `peer`: the function whose BAR it hit, and whether an IOMMU ever saw it. */
  readonly peer?: SubjectId;
  readonly bypassedIommu: boolean;
  readonly fault?: FaultCode & { readonly name: string; readonly messages: readonly string[] };
  /** The page, when an IOTLB entry answered that the tables contradict (VTD-70). */
  readonly stale?: AddressRange<Iova>;
  readonly trace: readonly TraceEvent[];
  readonly expectation?: ExpectationReport;
}

export interface NeverReport {
  readonly kind: 'never';
  readonly id: SubjectId;
  readonly text: string;
  readonly holds: boolean;
  /** The DMA that refutes it. */
  readonly counterExample?: DmaReport;
  readonly why: string;
}

export interface ExpectationReport {
  readonly met: boolean;
  readonly expected: string;
  readonly actual: string;
}

/** The state after the last action: what hovers show. */
export interface FinalState {
  readonly devices: readonly DeviceState[];
  readonly domains: readonly DomainState[];
}

export interface DeviceState {
  readonly device: SubjectId;
  readonly group: number | null;
  readonly driver: string | null;
  /** Name of the owner: a VM, a process, a kernel driver; null = nobody. */
  readonly owner: string | null;
  /** Index into `domains`, null without translation. */
  readonly domain: number | null;
}

export interface DomainState {
  readonly name: string;
  readonly type: 'identity' | 'blocked' | 'DMA' | 'DMA-FQ' | 'unmanaged' | 'nested' | 'SVA';
  readonly unit: SubjectId | null;
  readonly aperture: AddressRange | null;
  readonly mappings: readonly MappingState[];
  /** When `mappings` was cut short: how many there are. */
  readonly total: number;
}

/** Neighbouring entries with the same offset and permission are one mapping. */
export interface MappingState {
  readonly iova: AddressRange<Iova>;
  readonly physical: PhysicalAddress;
  readonly read: boolean;
  readonly write: boolean;
  /** Bytes of the leaf entries used, ascending. */
  readonly pageSizes: readonly bigint[];
  /** The statement or step that made it. */
  readonly subject?: SubjectId;
}

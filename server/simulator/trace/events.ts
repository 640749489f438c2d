/**
 * The vocabulary of events that every floor emits while a DMA or a call is simulated. A trace is an array of these, in
 * the order in which they happened; it is what the trace view draws and what `iommu trace` prints.
 */
import type { SubjectId } from '../description.js';

export type Floor = 'fabric' | 'hardware' | 'memory' | 'kernel' | 'uapi';

/** What the thing at this point did with the request. */
export type Verdict = 'continue' | 'done' | 'redirected' | 'bypass' | 'fault' | 'blocked' | 'note';

interface EventBase {
  readonly floor: Floor;
  /** The described thing at which it happens: a function, an IOMMU unit, a mapping. */
  readonly subject?: SubjectId;
  /** One sentence for people, in the terms of the kernel and the manuals. */
  readonly text: string;
  readonly verdict: Verdict;
  /** Rules of the behaviour specifications that decided it ("VTD-30", "PCIE-31"). */
  readonly rules: readonly string[];
}

/** The request leaves a device, meets a port, enters an IOMMU unit, arrives somewhere. */
export interface HopEvent extends EventBase {
  readonly kind: 'hop';
  readonly at: 'device' | 'port' | 'root-complex' | 'unit' | 'memory' | 'peer' | 'interrupt' | 'nowhere';
  /** Address carried at this point. */
  readonly address?: bigint;
  /** Requester ID carried at this point, 16 bits. */
  readonly requesterId?: number;
}

/** One read of a table entry in simulated memory. */
export interface ReadEvent extends EventBase {
  readonly kind: 'read';
  /** "root entry", "context entry", "PML4E", "device table entry", "level 3 entry" ... */
  readonly entry: string;
  readonly stage: 'device' | 'stage 1' | 'stage 2' | 'interrupt';
  readonly level?: number;
  readonly index?: number;
  /** Host physical address of the entry. */
  readonly address: bigint;
  /** Its 64-bit words, lowest first; empty when the read itself failed. */
  readonly words: readonly bigint[];
  readonly fields: readonly DecodedField[];
  /** Accumulated permission after this entry. */
  readonly permission?: { readonly read: boolean; readonly write: boolean };
}

export interface DecodedField {
  readonly name: string;
  /** "63:12", "q1 2:0". */
  readonly bits: string;
  readonly value: bigint;
  readonly meaning?: string;
}

/** Reason or event code as the manual counts it. */
export interface FaultCode {
  readonly code: number;
  /** Manual and kernel write it in decimal (causes of the RISC-V IOMMU); absent = two hexadecimal digits. */
  readonly decimal?: true;
}

export const faultCodeText = ({ code, decimal }: FaultCode): string => (decimal === true ? `${code}` : `0x${code.toString(16).padStart(2, '0')}`);

export interface FaultEvent extends EventBase, FaultCode {
  readonly kind: 'fault';
  /** The manual's or the kernel's name of it. */
  readonly name: string;
  /** Lines the kernel would log, without time stamp. */
  readonly messages: readonly string[];
}

export interface NoteEvent extends EventBase {
  readonly kind: 'note';
}

export type TraceEvent = HopEvent | ReadEvent | FaultEvent | NoteEvent;

/** Where events go; `null` where nobody listens, so that an untraced run builds no objects. */
export interface TraceSink {
  push(event: TraceEvent): void;
}

/**
 * What drivers and user space may ask of whoever gives out PASIDs. Each model offers a part: the allocator as it was merged, the sets that were
 * proposed in 2021, and what there is today. A function that a model leaves out does not exist in its kernel (`absent.ts`).
 */
import type { Device } from '../core.js';
import type { Effect } from '../group.js';

/** What an allocation gives that failed: there is no errno (IOA-02, PAS-12). */
export const INVALID_IOASID = 0xffff_ffff;

/** Both ends belong to it. */
export interface IdRange {
  readonly min: number;
  readonly max: number;
}

/** Who stands for an address space: any object, the same one for the same `mm_struct`. */
export type Token = object;

/** What a driver holds of a set: a pointer, here its number. */
export type SetNumber = number;

/** Beside NULL (1) and MM (2) any other number, which the kernel refuses (IOX-02). */
export type SetType = 'NULL' | 'MM' | 'unknown';

export interface Allocation {
  /** null: none is named. */
  readonly set: SetNumber | null;
  /** As the caller asks; undefined: what the device can do, else the whole space. */
  readonly range?: IdRange;
  /** The device that will use it. */
  readonly device?: Device;
  /** The caller's private pointer. */
  readonly data: bigint;
  /** `current->mm`. */
  readonly caller: Token;
}

/** A custom allocator: two with the same functions share one space of numbers (IOA-05). */
export interface AllocatorOps {
  readonly name: string;
  /** Which alloc and free functions it has. */
  readonly functions: string;
}

/** IOX-07: in which order subscribers hear of a change. */
export const NOTIFIER_LEVELS = ['device', 'iommu', 'cpu'] as const;
export type NotifierLevel = (typeof NOTIFIER_LEVELS)[number];

export interface Notifier {
  readonly name: string;
  readonly level: NotifierLevel;
}

/** The set that a notifier listens to; 'all': every set; 'mm': the one of the caller, also when it does not exist yet. */
export type NotifierScope = { readonly set: SetNumber } | 'all' | { readonly mm: Token };

/** What the kernel knows of one number. */
export interface IoasidState {
  readonly state: 'FREE' | 'IDLE' | 'ACTIVE' | 'FREE_PENDING';
  readonly references: number;
  readonly spid: number | null;
}

export interface CgroupCounters {
  readonly max: bigint;
  readonly current: bigint;
  readonly events: bigint;
}

/** The functions, each under a name of its own; errnos are thrown as `Refusal`. */
export interface IoasidCalls {
  allocateSet?(type: SetType, token: Token | null, quota: number): SetNumber;
  freeSet?(set: SetNumber): void;
  /** The number, or INVALID_IOASID. */
  allocate?(request: Allocation): number;
  get?(set: SetNumber | null, id: number): void;
  getIfOwned?(caller: Token, id: number): void;
  /** True when that was the last reference. */
  put?(set: SetNumber | null, id: number): boolean;
  free?(set: SetNumber | null, id: number): void;
  /** The private pointer; null when the getter refuses. */
  find?(set: SetNumber | null, id: number, getterAccepts: boolean): bigint | null;
  setData?(id: number, data: bigint): void;
  state?(id: number): IoasidState;
  attachSpid?(id: number, spid: number): void;
  detachSpid?(id: number): void;
  /** The number, or INVALID_IOASID. */
  findBySpid?(set: SetNumber, spid: number): number;
  registerAllocator?(ops: AllocatorOps): void;
  unregisterAllocator?(ops: AllocatorOps): void;
  installCapacity?(count: number): void;
  /** How many were reserved. */
  reserveCapacity?(count: number): number;
  /** How many are available now. */
  cancelCapacity?(count: number): number;
  registerNotifier?(scope: NotifierScope, notifier: Notifier): void;
  createCgroup?(name: string, parent: string | null): void;
  moveToCgroup?(token: Token, name: string): void;
  writeCgroupMax?(name: string, text: string): void;
  readCgroup?(name: string): CgroupCounters;
  openDevice?(opener: Token): void;
  closeDevice?(opener: Token): void;
  requestFromDevice?(opener: Token, range: IdRange): number;
  releaseToDevice?(opener: Token, id: number): void;
  /** An ioctl without argument: GET_API_VERSION, GET_INFO, or any number. */
  askDevice?(command: string): number;
}

export type IoasidFunction = keyof IoasidCalls;

/** What a model needs of the kernel around it. */
export interface IoasidSurroundings {
  readonly log: string[];
  /** Tells people what a call did. */
  changed(effect: Effect): void;
}

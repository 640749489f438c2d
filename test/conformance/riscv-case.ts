/** Recorded questions to the reference model of the RISC-V IOMMU: how they are written. All numbers are hexadecimal. */
import type { UnitRequest } from '../../server/simulator/hardware/architecture.js';
import { DIRECTORY, USUAL_CHOICES, type RiscvChoices } from '../../server/simulator/hardware/riscv/capabilities.js';
import type { MemoryFault } from '../../server/simulator/hardware/riscv/registers.js';
import { hexadecimal, readLines } from './vector-case.js';

export interface RiscvAsked {
  readonly request: UnitRequest;
  /** The sender is a CXL device, whose completions say which pages are not for its caches. */
  readonly cxl: boolean;
}

export interface RiscvCase {
  readonly id: string;
  readonly capabilities: bigint;
  readonly featureControl: number;
  readonly choices: RiscvChoices;
  /** Written to ddtp once, from Off. */
  readonly directoryPointer: bigint;
  readonly words: readonly (readonly [address: bigint, value: bigint])[];
  readonly faults: readonly MemoryFault[];
  readonly requests: readonly RiscvAsked[];
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
interface Draft extends Writable<Omit<RiscvCase, 'words' | 'faults' | 'requests'>> {
  readonly words: [bigint, bigint][];
  readonly faults: MemoryFault[];
  readonly requests: RiscvAsked[];
}

const newCase = (id: string): Draft => ({ id, capabilities: 0n, featureControl: 0, choices: USUAL_CHOICES, directoryPointer: 0n, words: [], faults: [], requests: [] });

export function* readRiscvCases(file: string): Generator<RiscvCase> {
  let draft = newCase('');
  for (const line of readLines(file)) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === 'end') yield draft;
    else if (word === 'case') draft = newCase(rest[0]!);
    else DIRECTIVES[word ?? '']?.(draft, rest);
  }
}

const range = (kind: MemoryFault['kind']) => ({ faults }: Draft, [low, high]: readonly string[]): void => void faults.push({ first: hexadecimal(low!), last: hexadecimal(high!) - 1n, kind });

const DIRECTIVES: Readonly<Record<string, (draft: Draft, words: readonly string[]) => void>> = {
  caps: (draft, [value]) => (draft.capabilities = hexadecimal(value!)),
  fctl: (draft, [value]) => (draft.featureControl = Number(hexadecimal(value!))),
  ddtp: (draft, [value]) => (draft.directoryPointer = hexadecimal(value!)),
  impl: (draft, words) => (draft.choices = choicesOf(new Map(words.map((word) => word.split('=') as [string, string])))),
  mem: ({ words }, [start, ...values]) => values.forEach((value, i) => words.push([hexadecimal(start!) + 8n * BigInt(i), hexadecimal(value)])),
  viol: range('violation'),
  poison: range('corruption'),
  req: ({ requests }, words) => requests.push(askedOf(words.map(hexadecimal))),
};

const log2 = (text: string | undefined): number => (text === undefined ? 0 : hexadecimal(text).toString(2).length - 1);

const choicesOf = (settings: ReadonlyMap<string, string>): RiscvChoices => ({
  gxlWritable: settings.get('gxlw') === '1', beWritable: settings.get('bew') === '1',
  largestDirectory: Number.parseInt(settings.get('maxmode') ?? `${DIRECTORY.threeLevels}`, 16), bareFirstShift: log2(settings.get('bare1')), bareSecondShift: log2(settings.get('bare2')),
});

const ADDRESS_TYPES = ['untranslated', 'translation-request', 'translated'] as const;

/** A translation request with NW clear asks for writing as well. */
function askedOf([device, withPasid, pasid, privileged, execute, noWrite, cxl, type, write, address, size]: readonly bigint[]): RiscvAsked {
  const addressType = ADDRESS_TYPES[Number(type)]!;
  const writes = write === 1n || (addressType === 'translation-request' && noWrite === 0n);
  return {
    cxl: cxl === 1n,
    request: {
      requesterId: Number(device), access: writes ? 'write' : 'read', addressType, address: address!, size: Number(size), privileged: privileged === 1n, execute: execute === 1n,
      ...(withPasid === 1n && { pasid: Number(pasid) }),
    },
  };
}

/** `lspci -vmm`: a record for each function, a tag at the beginning of each line. It shows no capabilities. */
import { emptyFunction, MAX_GROUP, wholeNumber, type FunctionFacts } from './facts.js';
import { compareAddresses, formatAddress, parseAddress } from './pci-address.js';
import { classByName, vendorByName } from './pci-class.js';

const RECORD = /^Slot:\s+([0-9a-f:.]+)\s*$/im;

/** True for text in which functions are records. */
export const hasRecords = (text: string): boolean => RECORD.test(text) && /^Class:\s/m.test(text);

/** Functions by address; of a function that occurs twice the first record counts. */
export function readLspciRecords(text: string): FunctionFacts[] {
  const functions = new Map<string, FunctionFacts>();
  let current: FunctionFacts | null = null;
  for (const line of text.split('\n')) {
    const field = /^([A-Za-z]+):\s+(\S.*?)\s*$/.exec(line.trimStart());
    if (field === null) continue;
    if (field[1] === 'Slot') current = open(functions, field[2]!);
    else if (current !== null) readField(current, field[1]!, field[2]!);
  }
  return [...functions.values()].sort((a, b) => compareAddresses(a.address, b.address));
}

function open(functions: Map<string, FunctionFacts>, slot: string): FunctionFacts | null {
  const address = parseAddress(slot);
  if (address === null || functions.has(formatAddress(address))) return null;
  const facts = emptyFunction(address);
  functions.set(formatAddress(address), facts);
  return facts;
}

const NUMBER = /(?:^| )\[?([0-9a-f]{4})\]?$/i;
const numberOf = (value: string): number | undefined => (/\[[0-9a-f]{4}\]$|^[0-9a-f]{4}$/i.test(value) ? parseInt(NUMBER.exec(value)![1]!, 16) : undefined);
const nameOf = (value: string): string => value.replace(/ \[[0-9a-f]{4}\]$/i, '');

function readField(facts: FunctionFacts, tag: string, value: string): void {
  switch (tag) {
    case 'Class': {
      const classNumber = numberOf(value) ?? classByName(value);
      facts.classCode = classNumber === undefined ? undefined : classNumber << 8;
      return;
    }
    case 'ProgIf': facts.classCode = facts.classCode === undefined ? undefined : facts.classCode | (wholeNumber(parseInt(value, 16), 0xff) ?? 0); return;
    case 'Vendor': facts.vendor = numberOf(value) ?? vendorByName(value); facts.label = nameOf(value); return;
    case 'Device': facts.device = numberOf(value); facts.label = `${facts.label ?? ''} ${nameOf(value)}`.trim(); return;
    case 'SVendor': facts.subsystemVendor = numberOf(value); return;
    case 'SDevice': facts.subsystemDevice = numberOf(value); return;
    case 'Driver': facts.driver ??= value.split(/\s/, 1)[0]!; return;
    case 'IOMMUGroup': facts.group = wholeNumber(Number(value), MAX_GROUP); return;
  }
}

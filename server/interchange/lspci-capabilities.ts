/** The `Capabilities:` properties of lspci, by the words they begin with. */
import type { FunctionType } from '../simulator/description.js';
import { acsBitsOfFlags } from './acs-flags.js';
import { MAX_PASID_WIDTH, MAX_VFS, wholeNumber, type FunctionFacts } from './facts.js';
import type { LspciProperty } from './lspci-blocks.js';

/** `text` is the title with all details: where indentation was lost, details may have been taken for the rest of the title. */
type Reader = (facts: FunctionFacts, title: string, text: string) => void;

/** PCIe device/port types as lspci writes them. The first that occurs counts. */
const EXPRESS_TYPES: readonly (readonly [string, FunctionType])[] = [
  ['Root Port', 'root-port'], ['Upstream Port', 'upstream-port'], ['Downstream Port', 'downstream-port'],
  ['PCI-Express to PCI', 'pcie-to-pci-bridge'], ['PCI/PCI-X to PCI-Express', 'pci-to-pcie-bridge'],
  ['Root Complex Integrated', 'integrated-endpoint'], ['Root Complex Event Collector', 'event-collector'],
  ['Legacy Endpoint', 'legacy-endpoint'], ['Endpoint', 'endpoint'],
];

/** Each reader serves the capabilities whose title begins so. */
const READERS: readonly (readonly [string, Reader])[] = [
  ['Express', readExpress],
  ['Access Control Services', (facts, _, text) => { facts.acs = readAcs(text); }],
  ['Alternative Routing-ID Interpretation', (facts) => { facts.ari = true; }],
  ['Address Translation Service', (facts) => { facts.ats = true; }],
  ['Page Request Interface', (facts) => { facts.pri = true; }],
  ['Process Address Space ID', (facts, _, text) => { facts.pasid = numberAfter(text, /Max PASID Width: (\d+)/, MAX_PASID_WIDTH) ?? 'present'; }],
  ['Single Root I/O Virtualization', readSriov],
  ['MSI', (facts) => { facts.msi = true; }],
  ['PCI Advanced Features', (facts, _, text) => { facts.functionLevelReset ??= sign(text, /AFCap:[^:]*?FLR([+-])/); }],
];

/** What lspci says to those who are not root. */
export const ACCESS_DENIED = '<access denied>';

/** Reads one `Capabilities: [58] …` property into `facts`. */
export function readCapability(facts: FunctionFacts, property: LspciProperty): void {
  const title = property.text.replace(/^Capabilities:\s*(?:\[[^\]]*\]\s*)?/, '');
  const reader = READERS.find(([beginning]) => title.startsWith(beginning));
  reader?.[1](facts, title, [title, ...property.details].join(' '));
}

function readExpress(facts: FunctionFacts, title: string, text: string): void {
  facts.type = EXPRESS_TYPES.find(([words]) => title.includes(words))?.[1] ?? 'unknown';
  facts.functionLevelReset = sign(/DevCap:.*?(?=DevCtl:|$)/.exec(text)?.[0] ?? '', /FLReset([+-])/) ?? facts.functionLevelReset;
}

function readAcs(text: string): FunctionFacts['acs'] {
  const capability = /ACSCap:([^:]*)/.exec(text)?.[1];
  const control = /ACSCtl:([^:]*)/.exec(text)?.[1];
  if (capability === undefined || control === undefined || !isWhole(capability) || !isWhole(control)) return 'present';
  return { capability: acsBitsOfFlags(capability), control: acsBitsOfFlags(control) };
}

/** A line that was cut off lacks the last of the flags that isolation asks for. */
const isWhole = (flags: string): boolean => /UpstreamFwd[+-]/.test(flags);

function readSriov(facts: FunctionFacts, _: string, text: string): void {
  facts.sriov = {
    enabled: numberAfter(text, /Number of VFs: (\d+)/, MAX_VFS) ?? 0,
    total: numberAfter(text, /Total VFs: (\d+)/, MAX_VFS) ?? 0,
    offset: numberAfter(text, /VF offset: (\d+)/, MAX_VFS) || undefined,
    stride: numberAfter(text, /stride: (\d+)/, MAX_VFS) || undefined,
  };
}

function numberAfter(text: string, pattern: RegExp, max: number): number | undefined {
  return wholeNumber(Number(pattern.exec(text)?.[1] ?? 'none'), max);
}

function sign(text: string, pattern: RegExp): boolean | undefined {
  const found = pattern.exec(text)?.[1];
  return found === undefined ? undefined : found === '+';
}

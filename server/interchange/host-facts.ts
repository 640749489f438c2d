/** Host facts in JSON: devices with their PCIe types and ACS, and the groups that a kernel formed. */
import type { FunctionType, KernelDescription } from '../simulator/description.js';
import { acsBits } from './acs-flags.js';
import { relevantCommandLine } from './command-line.js';
import { busesOf, emptyFunction, MAX_GROUP, MAX_VFS, wholeNumber, type FunctionFacts, type HostFacts } from './facts.js';
import { ImportError } from './import-error.js';
import { compareAddresses, formatAddress, parseAddress } from './pci-address.js';
import { classByName, vendorByName } from './pci-class.js';

/** One device as these files write it. Every field but `bdf` may be missing. */
interface DeviceJson {
  readonly bdf: string;
  readonly class?: string;
  readonly vendor?: string;
  readonly device?: string;
  readonly name?: string;
  readonly header_type?: number;
  readonly pcie_type?: string | null;
  readonly caps_known?: boolean;
  readonly extcaps_known?: boolean;
  readonly is_multifunction?: boolean;
  readonly multifunction_from?: string;
  readonly acs?: { readonly cap: readonly string[]; readonly ctl: readonly string[] } | null;
  readonly ari?: boolean;
  readonly ats?: boolean;
  readonly pasid?: boolean;
  readonly sriov?: { readonly total: number; readonly num: number };
  readonly bridge?: { readonly secondary: string; readonly subordinate: string };
  readonly driver?: string;
  readonly iommu_group?: number;
}

interface HostJson {
  readonly id?: string;
  readonly kind?: string;
  readonly cpu_vendor?: string;
  readonly kernel?: string | null;
  readonly cpu?: string | null;
  readonly cmdline?: string | null;
  readonly default_domain?: string | null;
  readonly devices: readonly DeviceJson[];
}

const TYPES: Readonly<Record<string, FunctionType | undefined>> = {
  endpoint: 'endpoint', legacy_endpoint: 'legacy-endpoint', root_port: 'root-port', upstream: 'upstream-port', downstream: 'downstream-port',
  rciep: 'integrated-endpoint', rcec: 'event-collector', pcie_to_pci: 'pcie-to-pci-bridge', pci_to_pcie: 'pci-to-pcie-bridge',
};
const VENDORS: Readonly<Record<string, KernelDescription['cpuVendor'] | undefined>> = { intel: 'intel', amd: 'amd', arm: 'arm', ampere: 'arm', cavium: 'arm' };

/** True for text that is JSON rather than lspci output. */
export const looksLikeJson = (text: string): boolean => /^\s*(?:\{|\[\s*\{)/.test(text);

/** @throws ImportError when `text` is not JSON or has no list of devices with addresses. */
export function readHostFacts(text: string): HostFacts {
  const json = parse(text);
  /* Kind A: all capabilities were readable; a device that lists none has none. Kind B: what is not listed is not known. */
  const complete = json.kind === 'A';
  const functions = json.devices.map((device, index) => readDevice(device, index, complete)).sort((a, b) => compareAddresses(a.address, b.address));
  return {
    source: `host facts ${textOf(json.id) ?? 'without an id'}`,
    functions: functions.filter((facts, index) => index === 0 || formatAddress(facts.address) !== formatAddress(functions[index - 1]!.address)),
    cpuVendor: VENDORS[textOf(json.cpu_vendor) ?? ''] ?? (json.cpu_vendor === undefined ? 'unknown' : 'other'),
    cpu: textOf(json.cpu)?.replace(/ \(family.*$/, ''),
    kernelVersion: textOf(json.kernel),
    commandLine: json.cmdline === null ? undefined : relevantCommandLine(textOf(json.cmdline) ?? ''),
    defaultDomain: textOf(json.default_domain),
    memory: [], units: [], reserved: [], notes: [],
  };
}

function parse(text: string): HostJson {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ImportError(`not valid JSON: ${error instanceof Error ? error.message : String(error)}`, 'facts', 1);
  }
  const devices: unknown = typeof json === 'object' && json !== null ? (json as { devices?: unknown }).devices : undefined;
  if (!Array.isArray(devices)) throw new ImportError('the JSON has no list "devices"', 'facts', 1);
  return { ...(json as HostJson), devices: devices as readonly DeviceJson[] };
}

function readDevice(device: DeviceJson, index: number, complete: boolean): FunctionFacts {
  const address = typeof device?.bdf === 'string' ? parseAddress(device.bdf) : null;
  if (address === null) throw new ImportError(`device ${index} has no PCI address "bdf"`, 'facts', 1);
  const facts = emptyFunction(address);
  readIdentity(facts, device);
  readCapabilities(facts, device, device.caps_known ?? complete, device.extcaps_known ?? complete);
  facts.driver = /^\S+$/.exec(textOf(device.driver) ?? '')?.[0] ?? (complete ? null : undefined);
  facts.group = wholeNumber(device.iommu_group, MAX_GROUP);
  return facts;
}

const BRIDGE_CLASS = 0x0604;

/* The file is somebody else's: no field need have the type that it should. */
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const namesOf = (value: unknown): string[] => (Array.isArray(value) ? value.filter((name) => typeof name === 'string') : []);

const hexNumber = (text: unknown): number | undefined => (typeof text === 'string' && /^[0-9a-f]{1,6}$/i.test(text) ? parseInt(text, 16) : undefined);

function readIdentity(facts: FunctionFacts, device: DeviceJson): void {
  const name = textOf(device.name);
  const classNumber = hexNumber(device.class) ?? classByName(name?.split(':', 1)[0] ?? '');
  facts.classCode = classNumber === undefined ? undefined : classNumber << 8;
  facts.label = name === undefined ? undefined : labelOf(name);
  facts.vendor = hexNumber(device.vendor) ?? vendorByName(facts.label ?? '');
  facts.device = hexNumber(device.device);
  facts.bridge = device.header_type === 1 || classNumber === BRIDGE_CLASS ? true : device.header_type === 0 ? false : undefined;
  const secondary = hexNumber(device.bridge?.secondary);
  facts.buses = busesOf(secondary, hexNumber(device.bridge?.subordinate) ?? secondary);
  if (device.multifunction_from === 'header') facts.multifunction = device.is_multifunction === true;
}

/** "Audio device: NVIDIA … (rev a1)" without class, ids and revision. */
const labelOf = (name: string): string => name.replace(/^[^:]*: /, '').replace(/ \((?:rev|prog-if) .*$/, '').replace(/ \[[0-9a-f]{4}:[0-9a-f]{4}\]/i, '').trim();

/** `known`: the first 256 bytes, with the PCIe capability; `extended`: the rest, with ACS. Conventional PCI has no rest. */
function readCapabilities(facts: FunctionFacts, device: DeviceJson, known: boolean, extended: boolean): void {
  facts.type = typeof device.pcie_type === 'string' ? TYPES[device.pcie_type] ?? 'unknown' : known ? (facts.bridge === true ? 'pci-bridge' : 'pci') : undefined;
  const conventional = facts.type === 'pci' || facts.type === 'pci-bridge';
  if (device.acs) facts.acs = { capability: acsBits(namesOf(device.acs.cap)), control: acsBits(namesOf(device.acs.ctl)) };
  else facts.acs = extended || conventional ? 'none' : 'unknown';
  facts.ari = device.ari === true ? true : extended ? false : undefined;
  facts.ats = device.ats === true ? true : extended ? false : undefined;
  facts.pasid = device.pasid === true ? 'present' : extended ? 'none' : undefined;
  const total = wholeNumber(device.sriov?.total, MAX_VFS);
  if (total !== undefined) facts.sriov = { enabled: wholeNumber(device.sriov?.num, MAX_VFS) ?? 0, total };
}

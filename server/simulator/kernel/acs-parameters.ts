/**
 * What the administrator asks of ACS on the command line: `pci=disable_acs_redir=`, `pci=config_acs=`, `pci=noats` and the
 * out-of-tree `pcie_acs_override=` (ACE-06 .. ACE-10).
 */
import type { FunctionDescription } from '../description.js';
import { devfnOf } from '../fabric/pci-address.js';
import type { Topology } from '../fabric/topology.js';
import { ACS } from './acs-quirks.js';
import { hasWord, valuesAfter, type CommandLine } from './command-line.js';

/** Names functions by place or by id, as `pci=` options do (ACE-06). */
export type DeviceSelector =
  | { readonly kind: 'path'; readonly segment: number; readonly bus: number; /** From the outermost bridge to the function. */ readonly devfns: readonly number[] }
  | { readonly kind: 'ids'; /** vendor, device, subsystem vendor, subsystem device; 0 = any. */ readonly ids: readonly number[] };

/** One `flags@devices` of config_acs, or one device list of disable_acs_redir. */
export interface AcsRequest {
  /** Bits it decides. */
  readonly mask: number;
  /** Their values. */
  readonly flags: number;
  readonly selectors: readonly DeviceSelector[];
}

export interface AcsOverride {
  readonly downstream: boolean;
  readonly multifunction: boolean;
  /** vendor << 16 | device. */
  readonly ids: ReadonlySet<number>;
}

export interface AcsParameters {
  readonly noAts: boolean;
  /** In the order of the command line; the first that names a function decides for it. */
  readonly disableRedirect: readonly AcsRequest[];
  readonly configure: readonly AcsRequest[];
  readonly override: AcsOverride | null;
  /** What the parser complains about. */
  readonly messages: readonly string[];
}

/** What disable_acs_redir takes away. */
export const REDIRECT = ACS.RR | ACS.CR | ACS.EC;

export function parseAcsParameters(commandLine: CommandLine): AcsParameters {
  const messages: string[] = [];
  return {
    noAts: hasWord(commandLine, 'pci', 'noats'),
    disableRedirect: valuesAfter(commandLine, 'pci', 'disable_acs_redir=').flatMap((list) => redirectRequest(list, messages)),
    configure: valuesAfter(commandLine, 'pci', 'config_acs=').flatMap((list) => configureRequests(list, messages)),
    override: parseOverride(commandLine.get('pcie_acs_override')),
    messages,
  };
}

function redirectRequest(list: string, messages: string[]): AcsRequest[] {
  const selectors: DeviceSelector[] = [];
  for (const text of list.split(';')) {
    const selector = parseSelector(text);
    if (selector === null) {
      messages.push(`PCI: Can't parse disable_acs_redir parameter: ${text}`);
      break;
    }
    selectors.push(selector);
  }
  return selectors.length === 0 ? [] : [{ mask: REDIRECT, flags: 0, selectors }];
}

/** ACE-07: flags read from the right, SV first; `x` leaves the bit to firmware. */
function configureRequests(list: string, messages: string[]): AcsRequest[] {
  const requests: AcsRequest[] = [];
  for (const entry of list.split(';')) {
    const [flags = '', device, ...more] = entry.split('@');
    const selector = device === undefined || more.length > 0 ? null : parseSelector(device);
    const complaint = flags === '' ? 'ACS Flags missing' : !/^[01x]+$/.test(flags) ? 'Invalid ACS flags specified' : flags.length > 7 ? 'Invalid ACS flags... Ignoring' : null;
    if (complaint !== null || selector === null) {
      messages.push(complaint ?? "PCI: Can't parse ACS command line parameter");
      break;
    }
    requests.push({ ...flagBits(flags), selectors: [selector] });
  }
  return requests;
}

function flagBits(text: string): { mask: number; flags: number } {
  let mask = 0;
  let flags = 0;
  [...text].reverse().forEach((digit, bit) => {
    if (digit !== 'x') mask |= 1 << bit;
    if (digit === '1') flags |= 1 << bit;
  });
  return { mask, flags };
}

const hexadecimal = (text: string): number => Number.parseInt(text, 16);

/** `[segment:]bus:device.function[/device.function …]` or `pci:vendor:device[:subvendor:subdevice]`; null when it is neither. */
export function parseSelector(text: string): DeviceSelector | null {
  const ids = /^pci:([0-9a-f]{1,8}):([0-9a-f]{1,8})(?::([0-9a-f]{1,8}):([0-9a-f]{1,8}))?$/i.exec(text);
  if (ids) return { kind: 'ids', ids: ids.slice(1, 5).map((id) => (id === undefined ? 0 : hexadecimal(id))) };
  const path = /^(?:([0-9a-f]{1,8}):)?([0-9a-f]{1,2}):((?:[0-9a-f]{1,2}\.[0-7]\/)*[0-9a-f]{1,2}\.[0-7])$/i.exec(text);
  if (!path) return null;
  const devfns = path[3]!.split('/').map((part) => {
    const [device = '', fn = ''] = part.split('.');
    return (hexadecimal(device) << 3) | hexadecimal(fn);
  });
  return { kind: 'path', segment: path[1] === undefined ? 0 : hexadecimal(path[1]), bus: hexadecimal(path[2]!), devfns };
}

/** The first request that names the function, with the requests before it. */
export function requestFor(topology: Topology, fn: FunctionDescription, requests: readonly AcsRequest[]): { readonly request: AcsRequest; readonly before: readonly AcsRequest[] } | null {
  const position = requests.findIndex(({ selectors }) => selectors.some((selector) => selects(topology, selector, fn)));
  return position < 0 ? null : { request: requests[position]!, before: requests.slice(0, position) };
}

function selects(topology: Topology, selector: DeviceSelector, fn: FunctionDescription): boolean {
  if (selector.kind === 'ids') {
    const own = [fn.ids?.vendor, fn.ids?.device, fn.ids?.subsystemVendor, fn.ids?.subsystemDevice];
    return selector.ids.every((id, part) => id === 0 || id === own[part]);
  }
  let at: FunctionDescription | null = fn;
  for (let depth = selector.devfns.length - 1; depth > 0; depth--) {
    if (at === null || devfnOf(at.address) !== selector.devfns[depth]) return false;
    at = topology.upstream(at);
  }
  return at !== null && devfnOf(at.address) === selector.devfns[0] && at.address.bus === selector.bus && at.address.segment === selector.segment;
}

/** At most this many `id:` options are remembered. */
const OVERRIDE_IDS = 15;

/** ACE-10. */
function parseOverride(values: readonly string[] | undefined): AcsOverride | null {
  if (values === undefined) return null;
  const ids = values.flatMap((value) => {
    const match = /^id:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(value);
    return match ? [hexadecimal(match[1]!) * 0x1_0000 + hexadecimal(match[2]!)] : [];
  });
  return { downstream: values.includes('downstream'), multifunction: values.includes('multifunction'), ids: new Set(ids.slice(0, OVERRIDE_IDS)) };
}

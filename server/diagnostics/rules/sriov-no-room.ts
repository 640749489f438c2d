import { addressText, type Facts, kernelStatementWith } from '../facts.js';
import { sampleHost } from '../sample.js';
import type { DiagnosticRule, Found } from '../rule.js';
import type { FunctionDescription, HostDescription } from '../../simulator/description.js';
import { Topology } from '../../simulator/fabric/topology.js';
import { sizeOf } from '../../simulator/memory/address.js';
import { sizeText } from '../../simulator/memory/sizes.js';

/** A VF BAR takes at least a page, so that each can be mapped alone. */
const PAGE = 4096n;

interface Sriov {
  readonly fn: FunctionDescription;
  readonly sriov: NonNullable<FunctionDescription['sriov']>;
  readonly bridge: FunctionDescription;
}

/** Words that make the kernel lay out again what firmware did. */
const reallocates = (host: HostDescription, word: string): boolean => new RegExp(`(^|\\s)pci=(\\S*,)?${word}(,|=on|\\s|$)`).test(host.kernel.commandLine);

/** Bytes that all virtual functions of a device decode; firmware has to leave room for the greatest number of them. */
const neededBy = ({ fn, sriov }: Sriov): bigint => (fn.virtualBarSizes ?? []).reduce((sum, size) => sum + (size > PAGE ? size : PAGE) * BigInt(sriov.total), 0n);

/** What the windows of the bridge have beyond the BARs that are below it already. */
function roomBelow(bridge: FunctionDescription, below: readonly FunctionDescription[]): bigint {
  const isInside = (address: bigint): boolean => bridge.windows.some(({ range }) => range.start <= address && address <= range.last);
  const used = below.flatMap((fn) => fn.bars).filter((bar) => isInside(bar.range.start)).reduce((sum, bar) => sum + sizeOf(bar.range), 0n);
  return bridge.windows.reduce((sum, { range }) => sum + sizeOf(range), 0n) - used;
}

const fixWith = (host: HostDescription, word: string, title: string): Found['fixes'] =>
  [{ title, preferred: true, edits: [{ kind: 'set-property', subject: host.id, property: 'kernel', text: kernelStatementWith(host.kernel, word) }] }];

function memoryProblem(facts: Facts, host: HostDescription, each: Sriov, below: readonly FunctionDescription[]): Found | null {
  const { fn, sriov, bridge } = each;
  const needed = neededBy(each);
  if (bridge.windows.length === 0 || reallocates(host, 'realloc')) return null;
  const room = roomBelow(bridge, below);
  if (needed <= room) return null;
  return {
    subject: fn.id,
    message: `The BARs of ${sriov.total} virtual functions of ${facts.name(fn.id)} take ${sizeText(needed)}, and firmware left ${sizeText(room > 0n ? room : 0n)} below ${facts.name(bridge.id)}. Writing sriov_numvfs fails with ENOMEM ("cannot allocate memory"), and the kernel logs "${addressText(fn.address)}: not enough MMIO resources for SR-IOV".`,
    related: [{ subject: bridge.id, message: 'its windows are too small' }],
    fixes: fixWith(host, 'pci=realloc', 'Let the kernel assign the windows again: pci=realloc'),
  };
}

/** The greatest bus number among its virtual functions. */
const lastBus = (topology: Topology, fn: FunctionDescription): number => topology.virtualFunctions(fn).reduce((highest, { address }) => Math.max(highest, address.bus), 0);

function busProblem(facts: Facts, host: HostDescription, { fn, sriov, bridge }: Sriov, last: number): Found | null {
  const { buses } = bridge;
  if (buses === undefined || last <= buses.subordinate || reallocates(host, 'assign-busses')) return null;
  const two = (bus: number): string => bus.toString(16).padStart(2, '0');
  const range = buses.secondary === buses.subordinate ? two(buses.secondary) : `${two(buses.secondary)}-${two(buses.subordinate)}`;
  return {
    subject: fn.id,
    message: `The last of ${sriov.enabled} virtual functions of ${facts.name(fn.id)} is on bus ${two(last)}, and ${facts.name(bridge.id)} has bus ${range} only. Writing sriov_numvfs fails with ENOMEM, and the kernel logs "${addressText(fn.address)}: can't enable ${sriov.enabled} VFs (bus ${two(last)} out of range of [bus ${range}])".`,
    related: [{ subject: bridge.id, message: `has bus ${range}` }],
    fixes: fixWith(host, 'pci=assign-busses', 'Let the kernel number the buses again: pci=assign-busses'),
  };
}

const example = (kernel: string): string => sampleHost(`root-port rp at 00:01.0 {
  acs SV, RR, CR, UF
  window 0x38_0000_0000 size 32MiB prefetchable
  function nic at 01:00.0 { class ethernet  bar 0 at 0x38_0000_0000 size 16MiB prefetchable  sriov vfs 8 of 64  vf-bars 1MiB, 16KiB }
}`, { kernel });

export const sriovNoRoom: DiagnosticRule = {
  code: 'device/sriov-no-room',
  severity: 'warning',
  title: 'Firmware left no room for the virtual functions',
  documentation: `The BARs of all virtual functions that a device can have lie in one block, and the windows of the bridges above have to pass it. Firmware that knows nothing of SR-IOV (or has it switched off) makes the windows for the physical function only. The kernel then logs
"not enough MMIO resources for SR-IOV" when virtual functions are switched on, and \`echo 8 > sriov_numvfs\` says "cannot allocate memory"; the driver may say "Failed to enable 8 VFs (-ENOMEM)". The same errno comes when the virtual functions reach a bus number that the bridge does
not have: "can't enable 8 VFs (bus 04 out of range of [bus 03])".

The check needs \`vf-bars\` of the device and \`window\` of the bridge above (for buses: \`buses\`).

**Fix.** Switch on SR-IOV and "Above 4G decoding" in the firmware's set-up. Else let the kernel lay it out again: \`pci=realloc\` for windows, \`pci=assign-busses\` for bus numbers.`,
  example: { bad: example('6.12 cmdline "intel_iommu=on"'), good: example('6.12 cmdline "intel_iommu=on pci=realloc"') },
  *check(facts): Generator<Found> {
    for (const host of facts.description.hosts) {
      const capable = host.functions.filter((fn) => fn.sriov !== undefined);
      if (capable.length === 0) continue;
      const topology = new Topology(host);
      for (const fn of capable) {
        const bridge = topology.upstream(fn);
        if (bridge === null || fn.sriov === undefined) continue;
        const each = { fn, sriov: fn.sriov, bridge };
        const found = memoryProblem(facts, host, each, topology.children(bridge)) ?? busProblem(facts, host, each, lastBus(topology, fn));
        if (found !== null) yield found;
      }
    }
  },
};

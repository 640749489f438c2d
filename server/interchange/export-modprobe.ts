/** A file for /etc/modprobe.d: vfio-pci takes the devices before their drivers do. */
import type { FunctionDescription, HostDescription } from '../simulator/description.js';
import { isVfioDriver } from '../simulator/kernel/drivers.js';
import { boundByLibvirt, titleOf, type BoundFunction, type Exported, type ExportPlan } from './export-plan.js';

const hex4 = (value: number): string => value.toString(16).padStart(4, '0');
type Ids = NonNullable<FunctionDescription['ids']>;

const short = ({ vendor, device }: Ids): string => `${hex4(vendor)}:${hex4(device)}`;
const long = (ids: Ids): string => `${short(ids)}:${hex4(ids.subsystemVendor ?? 0)}:${hex4(ids.subsystemDevice ?? 0)}`;

/** How `ids=` can name exactly the functions that are wanted; null: no id tells them from others. */
function idOf(fn: FunctionDescription, host: HostDescription, wanted: ReadonlySet<FunctionDescription>): string | null {
  const { ids } = fn;
  if (ids === undefined) return null;
  const others = host.functions.filter((other) => !wanted.has(other) && other.ids !== undefined && short(other.ids) === short(ids));
  if (others.length === 0) return short(ids);
  const isKnown = ids.subsystemVendor !== undefined && ids.subsystemDevice !== undefined;
  const differs = others.every((other) => other.ids!.subsystemVendor !== undefined && long(other.ids!) !== long(ids));
  return isKnown && differs ? long(ids) : null;
}

/** Module names write `_` for `-`. Drivers that are usually built into the kernel are there before any module. */
const moduleName = (driver: string): string => driver.replaceAll('-', '_');
const USUALLY_BUILT_IN: ReadonlySet<string> = new Set(['xhci_hcd', 'xhci_pci', 'ehci_pci', 'ahci', 'nvme', 'pcieport']);

/** `vfio_iommu_type1.allow_unsafe_interrupts=1` as modprobe wants it; null for what is no parameter of a module. */
function moduleOption(parameter: string): string | null {
  const [, module, rest] = /^([\w-]+)\.([\w-]+(?:=\S*)?)$/.exec(parameter) ?? [];
  return module === undefined || rest === undefined ? null : `options ${moduleName(module)} ${rest}`;
}

function notesOn({ fn }: BoundFunction, id: string | null): string[] {
  if (fn.virtualFunction !== undefined) return [`${titleOf(fn)} is a virtual function, which does not exist yet when modules load: use driverctl.`];
  if (id === null) return [`${titleOf(fn)} is left out: ${fn.ids === undefined ? 'its id is not described' : 'another device of the host has the same id, which ids= would take as well'}. Use driverctl.`];
  return [];
}

export function exportModprobe(plan: ExportPlan): Exported {
  const { host, owner, bound } = plan;
  const forVfio = bound.filter(({ driver }) => driver === 'vfio-pci');
  const wanted = new Set(forVfio.map(({ fn }) => fn));
  const named = forVfio.map((each) => ({ ...each, id: each.fn.virtualFunction === undefined ? idOf(each.fn, host, wanted) : null }));
  const taken = named.filter(({ id }) => id !== null);
  const drivers = [...new Set(taken.flatMap(({ fn }) => (fn.driver === null || isVfioDriver(fn.driver) ? [] : [fn.driver])))];
  const unknown = taken.filter(({ fn }) => isVfioDriver(fn.driver));
  const builtIn = drivers.filter((driver) => USUALLY_BUILT_IN.has(driver));
  const lines = [
    `# /etc/modprobe.d/vfio-${owner.name}.conf: the devices of ${owner.name} on ${host.name}.`,
    '# Afterwards write the initramfs anew (update-initramfs -u, dracut -f or mkinitcpio -P).',
    ...taken.map(({ fn, id }) => `#   ${id}  ${titleOf(fn)}`),
    ...(taken.length === 0 ? [] : [`options vfio-pci ids=${[...new Set(taken.map(({ id }) => id))].join(',')}`]),
    ...drivers.map((driver) => `softdep ${moduleName(driver)} pre: vfio-pci`),
    ...host.kernel.moduleParameters.flatMap((parameter) => moduleOption(parameter) ?? []),
  ];
  return {
    text: `${lines.join('\n')}\n`,
    notes: [
      ...boundByLibvirt(plan), ...named.flatMap((each) => notesOn(each, each.id)),
      ...bound.filter(({ driver }) => driver !== 'vfio-pci').map(({ fn, driver }) => `${titleOf(fn)} is bound to ${driver}, which takes no ids=: use driverctl.`),
      ...host.kernel.moduleParameters.filter((parameter) => moduleOption(parameter) === null).map((parameter) => `${JSON.stringify(parameter)} is left out: it is not MODULE.PARAMETER=VALUE.`),
      ...(unknown.length === 0 ? [] : [`Which driver would otherwise take ${unknown.map(({ fn }) => fn.name).join(', ')} is not described, so there is no softdep for it.`]),
      ...(builtIn.length === 0 ? [] : [`${builtIn.join(', ')} ${builtIn.length === 1 ? 'is' : 'are'} built into most kernels, which no softdep precedes: use driverctl.`]),
    ],
  };
}

/** A shell script of driverctl calls: `driver_override` by address, now and at every boot. */
import type { FunctionDescription, SubjectId } from '../simulator/description.js';
import { ADDRESSES_MOVE, boundByLibvirt, leftOut, type Exported, type ExportPlan } from './export-plan.js';
import { formatAddress } from './pci-address.js';
import { aligned } from './shell.js';

/** Physical functions whose virtual functions are wanted, with how many there have to be. */
function parents({ host, bound }: ExportPlan): { readonly fn: FunctionDescription; readonly count: number }[] {
  const functions = new Map(host.functions.map((fn) => [fn.id, fn]));
  const counts = new Map<SubjectId, number>();
  for (const { fn } of bound) {
    if (fn.virtualFunction === undefined) continue;
    const { of, index } = fn.virtualFunction;
    counts.set(of, Math.max(counts.get(of) ?? 0, functions.get(of)?.sriov?.enabled ?? 0, index + 1));
  }
  return [...counts].flatMap(([id, count]) => {
    const fn = functions.get(id);
    return fn === undefined ? [] : [{ fn, count }];
  });
}

export function exportDriverctl(plan: ExportPlan): Exported {
  const { host, owner, bound } = plan;
  const physical = parents(plan);
  const lines = [
    '#!/bin/sh', `# Binds the devices of ${owner.name} on ${host.name}, now and at every boot. Undo: driverctl unset-override ADDRESS`, 'set -e',
    ...physical.flatMap(({ fn, count }) => [`echo 0 > /sys/bus/pci/devices/${formatAddress(fn.address)}/sriov_numvfs`, `echo ${count} > /sys/bus/pci/devices/${formatAddress(fn.address)}/sriov_numvfs`]),
    ...aligned(bound.map(({ fn, driver }) => [`driverctl set-override ${formatAddress(fn.address)} ${driver}`, fn.name])),
  ];
  return {
    text: `${lines.join('\n')}\n`,
    notes: [
      ...(physical.length === 0 ? [] : ['Virtual functions are gone after a reboot: sriov_numvfs has to be written again before (a udev rule or the network configuration does it).']),
      ...boundByLibvirt(plan), ...leftOut(plan), ADDRESSES_MOVE,
    ],
  };
}

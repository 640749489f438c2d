/**
 * The grouping rules GRP-02 .. GRP-09 once more, written down as plainly as they read: every step looks at every device. Slow, and
 * independent of the indexes that the simulator uses.
 */
import type { FunctionDescription } from '../../server/simulator/description.js';
import { dmaAliases, type AliasKnowledge } from '../../server/simulator/fabric/aliases.js';
import { devfnOf } from '../../server/simulator/fabric/pci-address.js';
import type { Topology } from '../../server/simulator/fabric/topology.js';
import type { AcsQuestions } from '../../server/simulator/kernel/acs.js';

export function referenceGroups(topology: Topology, acs: AcsQuestions, aliases: AliasKnowledge): string[][] {
  const groups: string[][] = [];
  const groupOf = new Map<FunctionDescription, number>();
  const enabled = (fn: FunctionDescription): boolean => acs.of(fn).isolates === true;
  const bridgeAbove = (fn: FunctionDescription): FunctionDescription | undefined => topology.functions.find((other) => other.id === fn.upstream);
  const sameBus = (a: FunctionDescription, b: FunctionDescription): boolean => a.upstream === b.upstream && a.address.bus === b.address.bus && a.address.segment === b.address.segment;

  const areDmaAliases = (a: FunctionDescription, b: FunctionDescription): boolean => aliases.devfns(a).includes(devfnOf(b.address)) || aliases.devfns(b).includes(devfnOf(a.address)); // ALI-14

  const pathEnabled = (start: FunctionDescription): boolean => { // ACS-09
    for (let fn: FunctionDescription | undefined = start; fn !== undefined; fn = bridgeAbove(fn)) if (!enabled(fn)) return false;
    return true;
  };

  const aliasGroup = (fn: FunctionDescription, seen: Set<number>): number | undefined => { // GRP-05
    if (seen.has(devfnOf(fn.address))) return undefined;
    seen.add(devfnOf(fn.address));
    if (groupOf.has(fn)) return groupOf.get(fn);
    for (const other of topology.functions) {
      if (other === fn || !sameBus(fn, other) || !areDmaAliases(fn, other)) continue;
      const found = aliasGroup(other, seen) ?? functionGroup(other, seen);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  const functionGroup = (fn: FunctionDescription, seen: Set<number>): number | undefined => { // GRP-06
    if (!topology.isMultifunction(fn) || enabled(fn)) return undefined;
    for (const other of topology.functions) {
      if (other === fn || !sameBus(fn, other) || devfnOf(other.address) >> 3 !== devfnOf(fn.address) >> 3 || enabled(other)) continue;
      const found = aliasGroup(other, seen);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  const decide = (fn: FunctionDescription): number | undefined => {
    let top = fn;
    for (const visit of dmaAliases(topology, fn, aliases)) { // GRP-02
      top = visit.fn;
      if (groupOf.has(top)) return groupOf.get(top);
    }
    for (let bridge = bridgeAbove(top); bridge !== undefined; bridge = bridgeAbove(bridge)) { // GRP-04
      if (pathEnabled(bridge)) break;
      top = bridge;
      if (groupOf.has(top)) return groupOf.get(top);
    }
    const seen = new Set<number>();
    return aliasGroup(top, seen) ?? functionGroup(top, seen);
  };

  for (const fn of topology.functions) {
    const number = decide(fn) ?? groups.length; // GRP-07
    (groups[number] ??= []).push(fn.id);
    groupOf.set(fn, number);
  }
  return groups;
}

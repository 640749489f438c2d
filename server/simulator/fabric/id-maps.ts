/**
 * Stream IDs: under which numbers a unit sees requests, as firmware's tables tell it. A device tree says it with `iommu-map` at the
 * host bridge, ACPI's IORT with the mappings of its root complex: both are ranges of requester IDs with what is added to them (GRD-20, GRD-22).
 */
import type { FunctionDescription, IommuDescription, SubjectId } from '../description.js';
import { dmaAliases, type AliasKnowledge } from './aliases.js';
import type { Topology } from './topology.js';

const WHOLE_ID = 0xffff;

/** What a requester ID becomes at the unit; null where its map has no entry for it. */
export function streamIdOf(unit: IommuDescription, requesterId: number): number | null {
  if (unit.idMaps === undefined) return requesterId;
  const wanted = requesterId & (unit.idMapMask ?? WHOLE_ID);
  const entry = unit.idMaps.find(({ first, last }) => first <= wanted && wanted <= last);
  return entry === undefined ? null : entry.to + wanted - entry.first;
}

/**
 * Stream IDs of a function at its unit, one for each visit of the alias walk, so that a number may stand there twice (ALQ consumers of
 * section 1.1).
 */
export function streamIds(topology: Topology, fn: FunctionDescription, unit: IommuDescription, knowledge: AliasKnowledge): number[] {
  return dmaAliases(topology, fn, knowledge).flatMap(({ requesterId }) => streamIdOf(unit, requesterId) ?? []);
}

/**
 * Corrects the units of functions where units with maps are: each function goes to the first unit of its segment whose map has its own
 * requester ID. One whose own ID or any alias no map has is behind no unit at all (GRD-20).
 */
export function followIdMaps(topology: Topology, units: readonly IommuDescription[], assigned: Map<SubjectId, IommuDescription>, knowledge: AliasKnowledge): void {
  const mapped = units.filter((unit) => unit.idMaps !== undefined);
  if (mapped.length === 0) return;
  for (const fn of topology.functions) {
    const unit = assigned.get(fn.id);
    if (unit?.idMaps === undefined && unit !== undefined) continue;
    const found = unitByMaps(topology, fn, mapped, knowledge);
    if (found !== null) assigned.set(fn.id, found);
    else assigned.delete(fn.id);
  }
}

function unitByMaps(topology: Topology, fn: FunctionDescription, mapped: readonly IommuDescription[], knowledge: AliasKnowledge): IommuDescription | null {
  let first: IommuDescription | null = null;
  for (const visit of dmaAliases(topology, fn, knowledge)) {
    const unit = mapped.find((each) => each.segment === visit.fn.address.segment && each.except?.includes(fn.id) !== true && streamIdOf(each, visit.requesterId) !== null);
    if (unit === undefined) return null;
    first ??= unit;
  }
  return first;
}

/**
 * Which IOMMU unit translates for a function (VTD-01, AMD-01).
 */
import type { FunctionDescription, IommuDescription, SubjectId } from '../description.js';
import { isIommuFunction } from './function-type.js';
import { devfnOf } from './pci-address.js';
import type { Topology } from './topology.js';

/** By function; a function that is missing has no unit. */
export type UnitMap = ReadonlyMap<SubjectId, IommuDescription>;

/**
 * AMD firmware usually lists the devices behind the unit's own function, so that what stands before it in the same slot (the root
 * complex, 00:00.0 before the unit at 00:00.2) has no IOMMU. The other reading, seen on few machines, is that it is listed as well.
 */
const AMD_LISTS_WHAT_STANDS_BEHIND_THE_UNIT = true;

/**
 * The unit of every function. Units are asked in the order of the firmware's table: a function or a bridge above it that is listed
 * decides, and the unit that includes the rest of the segment is asked last (VTD-01). A virtual function has the unit of its physical
 * function (PCIE-03), what is behind a VMD endpoint has the endpoint's (ALI-02).
 */
export function assignUnits(topology: Topology, units: readonly IommuDescription[]): Map<SubjectId, IommuDescription> {
  const listed = new Map<SubjectId, number>();
  units.forEach((unit, position) => {
    if (unit.covers === 'rest') return;
    for (const id of unit.covers) if (!listed.has(id)) listed.set(id, position);
  });
  const rest = new Map<number, number>();
  units.forEach((unit, position) => {
    if (unit.covers === 'rest' && !rest.has(unit.segment)) rest.set(unit.segment, position);
  });
  const positions = inheritPositions(topology, listed);
  const assigned = new Map<SubjectId, IommuDescription>();
  for (const fn of topology.functions) {
    const asked = askedFor(topology, fn);
    const position = positions.get(asked.id) ?? rest.get(asked.address.segment);
    const unit = position === undefined ? undefined : units[position];
    if (unit && !isLeftOut(topology, asked, unit)) assigned.set(fn.id, unit);
  }
  return assigned;
}

/** The function by which firmware's tables know it. */
function askedFor(topology: Topology, fn: FunctionDescription): FunctionDescription {
  const real = topology.realDmaDevice(fn);
  return topology.physicalFunction(real) ?? real;
}

/** The first unit that lists the function or a bridge above it. */
function inheritPositions(topology: Topology, listed: ReadonlyMap<SubjectId, number>): Map<SubjectId, number> {
  const positions = new Map<SubjectId, number>();
  if (listed.size === 0) return positions;
  for (const fn of topology.functions) {
    const above = topology.upstream(fn);
    const inherited = above === null ? undefined : positions.get(above.id);
    const own = listed.get(fn.id);
    const first = Math.min(own ?? Infinity, inherited ?? Infinity);
    if (first !== Infinity) positions.set(fn.id, first);
  }
  return positions;
}

/** The PCI function as which the unit itself appears. */
const isVirtioIommu = ({ ids }: FunctionDescription): boolean => ids?.vendor === 0x1af4 && ids.device === 0x1057;

/** What a unit does not translate although it serves the segment: itself, and what firmware's ranges leave out (AMD-01). */
function isLeftOut(topology: Topology, fn: FunctionDescription, unit: IommuDescription): boolean {
  if (unit.except?.includes(fn.id) || (unit.architecture === 'virtio-iommu' && isVirtioIommu(fn))) return true;
  if (unit.architecture !== 'amd-vi') return false;
  if (isIommuFunction(fn)) return true;
  if (unit.covers !== 'rest' || !AMD_LISTS_WHAT_STANDS_BEHIND_THE_UNIT) return false;
  return topology.isOnRootBus(fn) && topology.slot(fn).some((other) => isIommuFunction(other) && devfnOf(other.address) > devfnOf(fn.address));
}

/** A group leaves a type1 container (section 2.8a). It never fails (VFT-66). */
import type { VfioGroup } from '../registry.js';
import type { HardwareDomain, Type1State } from './state.js';
import { widened } from './iova-list.js';
import { leaveMappingsToMediatedDevices, removeAllMappings } from './unmap.js';

export function detachGroup(state: Type1State, group: VfioGroup): void {
  const pins = state.pinningGroups.delete(group);
  if (state.softwareGroups.delete(group)) {
    if (state.softwareGroups.size === 0 && state.domains.length === 0) removeAllMappings(state); // VFT-63
    return;
  }
  const found = state.domains.find((each) => each.attachments.some((attachment) => attachment.group === group));
  if (found === undefined) return;
  leaveDomain(state, found, group);
  if (pins) return;
  state.nonPinningGroups--;
  for (const mapping of state.mappings.entries()) mapping.dirty?.markAll(); // VFT-59
}

function leaveDomain(state: Type1State, from: HardwareDomain, group: VfioGroup): void {
  const attachment = from.attachments.find((each) => each.group === group)!;
  attachment.detach(from.domain);
  from.attachments = from.attachments.filter((each) => each !== attachment);
  if (from.attachments.length === 0) removeDomain(state, from);
  state.iovaList = widened(state.iovaList, state.pagingDomains.map((domain) => domain.aperture), state.reservedRegions());
}

/** With other domains left, mappings and counts stay as they are (VFT-65). */
function removeDomain(state: Type1State, gone: HardwareDomain): void {
  if (state.domains.length === 1) {
    if (state.softwareGroups.size === 0) removeAllMappings(state);
    else leaveMappingsToMediatedDevices(state);
  }
  state.domains = state.domains.filter((each) => each !== gone);
  gone.domain.free();
  state.updatePageSizes();
}

/** VFT-04, VFG-20: the container has no group any more. */
export function release(state: Type1State): void {
  for (const group of [...state.softwareGroups, ...state.attachments.map((attachment) => attachment.group)]) detachGroup(state, group);
}

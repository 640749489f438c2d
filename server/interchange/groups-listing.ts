/**
 * Group listings as people paste them: `find /sys/kernel/iommu_groups -type l` (or `ls` of it), scripts that print a heading
 * per group and its devices below, and one-line forms ("IOMMU Group 13 01:00.0 VGA …", ls-iommu's "Group: 13 01:00.0 …").
 */
import { MAX_GROUP } from './facts.js';
import { ImportError } from './import-error.js';
import { formatAddress, parseAddress } from './pci-address.js';

const ADDRESS_TEXT = '((?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7])';
const SYSFS_LINK = new RegExp(`iommu_groups/(\\d+)/devices/${ADDRESS_TEXT}`, 'i');
/** "IOMMU Group 13:", "Group: 13", and the folder names that `ls -l` prints. */
const HEADING = /\bgroup:?\s*#?(\d+)\b|iommu_groups\/(\d+)\b/i;
const DEVICE = new RegExp(`(?:^|[\\s([])${ADDRESS_TEXT}(?=[\\s\\])"',:]|$)`, 'i');

/**
 * @returns group number by address ("0000:01:00.0").
 * @throws ImportError when no line is of any known form.
 */
export function readGroupsListing(text: string): Map<string, number> {
  const groups = new Map<string, number>();
  let group: number | null = null;
  for (const line of text.split(/\r?\n/)) {
    const link = SYSFS_LINK.exec(line);
    if (link !== null) {
      put(groups, link[2]!, Number(link[1]));
      continue;
    }
    const heading = HEADING.exec(line);
    if (heading !== null) group = Number(heading[1] ?? heading[2]);
    const device = DEVICE.exec(line);
    if (device !== null && group !== null) put(groups, device[1]!, group);
  }
  if (groups.size === 0 && text.trim() !== '') throw new ImportError('no line of the group listing names a group and a PCI address', 'groups', 1);
  return groups;
}

function put(groups: Map<string, number>, text: string, group: number): void {
  const address = parseAddress(text);
  if (address !== null && group <= MAX_GROUP) groups.set(formatAddress(address), group);
}

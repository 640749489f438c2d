/**
 * Group listings as people paste them: `find /sys/kernel/iommu_groups -type l` (or `ls`, `tree`, `readlink`), scripts that print a
 * heading per group and its devices below, one-line forms ("IOMMU Group 13 01:00.0 VGA …", ls-iommu's "Group: 13 01:00.0 …"), kernel
 * logs, tables, libvirt's XML, Proxmox's JSON, and lspci output that shows groups itself.
 */
import { MAX_GROUP, wholeNumber } from './facts.js';
import { ImportError } from './import-error.js';
import { readLspci } from './lspci.js';
import { hasRecords } from './lspci-records.js';
import { formatAddress, parseAddress } from './pci-address.js';

export interface GroupsListing {
  /** Group number by address ("0000:01:00.0"). */
  readonly groups: Map<string, number>;
  /** What follows the address in its line, with the ids if the line has them: what lspci would print. */
  readonly titles: Map<string, string>;
  /** Devices that the listing puts into two groups: it shows more than one state of the machine. The first counts. */
  readonly twice: readonly string[];
}

const ADDRESS_TEXT = '((?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7])';
/** Several in one line where a web page swallowed the line ends. */
const SYSFS_LINKS = new RegExp(`iommu_groups/(\\d+)/devices/${ADDRESS_TEXT}`, 'gi');
/** `readlink`, `ls -l /sys/bus/pci/devices/…/iommu_group`. */
const DEVICE_LINK = new RegExp(`${ADDRESS_TEXT}(?:/iommu_group)?\\s.*iommu_groups/(\\d+)\\b`, 'i');
/** "IOMMU Group 13:", "Group: 13", "### Group 13", "IOMMU-Gruppe 13", `<iommuGroup number='13'>`, and the folder names that `ls -l` prints. */
const HEADING = /(?:^|[^a-z])(?:iommu[\s_-]*)?(?:group|gruppe|groupe|grupo|gruppo|groep|grupa|grupp|группа|组)(?:\s+(?:number|no\.?|nr\.?|id))?\s*[:=#№-]?\s*#?(?:number=')?(\d+)(?![\d.]|:[0-9a-f])|iommu_groups\/(\d+)\b/i;
/** A folder in the drawing of `tree`. */
const TREE_FOLDER = /^[│├└─|`+\s-]*[├└|`]-?─*\s*(\d+)\/?$/;
const DEVICE = new RegExp(`(?:^|[\\s([|│"'/])${ADDRESS_TEXT}(?=[\\s\\])"'|│,:;/]|$)`, 'i');
const XML_ADDRESS = /<address\s+domain='0x([0-9a-f]+)'\s+bus='0x([0-9a-f]+)'\s+slot='0x([0-9a-f]+)'\s+function='0x([0-7])'/i;
const IDS = /\[([0-9a-f]{4}:[0-9a-f]{4})\]/i;

/** What a line of any other form fits into; patterns with several gaps do not look further. */
const LONGEST_LINE = 500;

/** lspci itself: the group stands below the title, and would seem to be the next function's. */
const LSPCI_WITH_GROUPS = /^[> \t]*(?:IOMMU group: \d|Flags:.*\bIOMMU group \d)/m;
const LSPCI_VERBOSE = /^[> \t]*(?:Control|Status|Flags): /m;
const isLspciWithGroups = (text: string): boolean => (LSPCI_WITH_GROUPS.test(text) && LSPCI_VERBOSE.test(text)) || (hasRecords(text) && /^IOMMUGroup:/m.test(text));

class Listing implements GroupsListing {
  readonly groups = new Map<string, number>();
  readonly titles = new Map<string, string>();
  readonly twice: string[] = [];

  put(text: string, group: number, line = ''): void {
    const address = parseAddress(text);
    if (address === null || group > MAX_GROUP) return;
    const name = formatAddress(address);
    const known = this.groups.get(name);
    if (known === undefined) this.groups.set(name, group);
    else if (known !== group) this.twice.push(name);
    const at = line.indexOf(text);
    if (at >= 0 && !this.titles.has(name)) this.titles.set(name, titleOf(line.slice(0, at), line.slice(at + text.length)));
  }
}

/** Some scripts print the ids before the address, and class and name in columns. */
function titleOf(before: string, after: string): string {
  const ids = IDS.exec(before)?.[0];
  const text = after.replace(/^[\s\])"'|│,:;-]+/, '').trimEnd();
  const title = text.includes(': ') ? text : text.replace(/^(\S.*?)\s{2,}/, '$1: ');
  return ids === undefined || IDS.test(title) ? title : `${title} ${ids}`;
}

/**
 * @param text as `cleanText` leaves it.
 * @throws ImportError when no line is of any known form. Nothing at all is the listing of a machine without groups.
 */
export function readListing(text: string): GroupsListing {
  const listing = new Listing();
  if (text.trim() === '') return listing;
  if (!readJson(text, listing) && !readLspciGroups(text, listing) && !readTable(text, listing)) readLines(text, listing);
  if (listing.groups.size === 0) throw new ImportError(`no line of the group listing names a group and a PCI address; the first line is "${firstLine(text)}"`, 'groups', text.slice(0, text.search(/\S/)).split('\n').length);
  return listing;
}

/** Group number by address. */
export const readGroupsListing = (text: string): Map<string, number> => readListing(text).groups;

export const firstLine = (text: string): string => {
  const line = text.trimStart().split('\n', 1)[0]!.replace(/[\u0000-\u001f\u007f-\u009f\ufffd]+/g, '?').trim();
  return line.length > 60 ? `${line.slice(0, 60)}…` : line;
};

function readLines(text: string, listing: Listing): void {
  const isTree = /^\S*iommu_groups\/?$/m.test(text);
  let group: number | null = null;
  for (const whole of text.split('\n')) {
    const links = [...whole.matchAll(SYSFS_LINKS)];
    for (const link of links) listing.put(link[2]!, Number(link[1]));
    const line = whole.slice(0, LONGEST_LINE);
    const back = links.length > 0 ? null : DEVICE_LINK.exec(line);
    if (back !== null) listing.put(back[1]!, Number(back[2]));
    if (links.length > 0 || back !== null) continue;
    const heading = HEADING.exec(line) ?? (isTree ? TREE_FOLDER.exec(line) : null);
    const device = DEVICE.exec(line);
    const number: number | null = heading === null ? group : Number(heading[1] ?? heading[2]);
    /* "… 0000:01:00.0: Adding to iommu group 2": this device's, nobody else's. */
    if (heading !== null && (device === null || heading.index < device.index)) group = number;
    if (device !== null && number !== null) listing.put(device[1]!, number, line);
    else if (group !== null) readXmlAddress(line, group, listing);
  }
}

function readXmlAddress(line: string, group: number, listing: Listing): void {
  const address = XML_ADDRESS.exec(line);
  if (address === null) return;
  const [segment, bus, slot] = address.slice(1, 4).map((digits, index) => digits.padStart(index === 0 ? 4 : 2, '0'));
  listing.put(`${segment}:${bus}:${slot}.${address[4]}`, group);
}

function readLspciGroups(text: string, listing: Listing): boolean {
  if (!isLspciWithGroups(text)) return false;
  for (const fn of readLspci(text)) if (fn.group !== undefined) listing.put(formatAddress(fn.address), fn.group);
  return listing.groups.size > 0;
}

/** A table with a column for the group, drawn or in Markdown. */
function readTable(text: string, listing: Listing): boolean {
  const rows = text.split('\n').map((line) => line.split(/[|│┃]/).map((cell) => cell.trim())).filter((cells) => cells.length > 2);
  const header = rows.findIndex((cells) => cells.some((cell) => /^(?:iommu[\s_-]*)?group$/i.test(cell)));
  if (header < 0) return false;
  const column = rows[header]!.findIndex((cell) => /^(?:iommu[\s_-]*)?group$/i.test(cell));
  for (const cells of rows.slice(header + 1)) {
    const address = cells.find((cell) => parseAddress(cell) !== null);
    const group = /^\d+$/.test(cells[column] ?? '') ? wholeNumber(Number(cells[column]), MAX_GROUP) : undefined;
    if (address !== undefined && group !== undefined) listing.put(address, group);
  }
  return listing.groups.size > 0;
}

/** Proxmox's `pvesh get /nodes/NODE/hardware/pci --output-format json`: -1 is none. */
function readJson(text: string, listing: Listing): boolean {
  if (!/^\s*\[\s*\{/.test(text)) return false;
  let rows: unknown;
  try {
    rows = JSON.parse(text);
  } catch {
    return false;
  }
  for (const row of Array.isArray(rows) ? (rows as unknown[]) : []) {
    if (typeof row !== 'object' || row === null) continue;
    const { id, iommugroup } = row as { id?: unknown; iommugroup?: unknown };
    const group = wholeNumber(typeof iommugroup === 'string' ? Number(iommugroup) : iommugroup, MAX_GROUP);
    if (typeof id === 'string' && group !== undefined) listing.put(id, group);
  }
  return listing.groups.size > 0;
}

/** A line that is nothing but a heading, or a heading with its device. */
const ONLY_HEADING = /^\W*(?:iommu[\s_-]*)?group\s*[:#]?\s*\d+\s*[:#\W]*$/i;
const HEADING_AND_DEVICE = new RegExp(`^\\W*(?:iommu[\\s_-]*)?group\\s*[:#]?\\s*\\d+\\s*:?\\s+(?:\\[[0-9a-f:]+\\]\\s+)?(?:\\[R\\]\\s+)?${ADDRESS_TEXT}\\s`, 'i');

/** What scripts print of a USB controller, and blank lines. */
const BETWEEN_DEVICES = /^\s*(?:$|USB:|Bus \d{3} Device|```)/;

/**
 * Groups in a text that is not known to be a listing: only lines that are headings and nothing else count, each with the devices directly
 * below, and lines of a group with its device.
 */
export function readEmbeddedListing(text: string): GroupsListing {
  const listing = new Listing();
  if (isLspciWithGroups(text)) return listing;
  let open: 'no' | 'any' | 'indented' = 'no';
  const lines = text.split('\n').map((whole) => {
    const line = whole.slice(0, LONGEST_LINE);
    if (HEADING_AND_DEVICE.test(line)) open = 'indented';
    else if (ONLY_HEADING.test(line)) open = 'any';
    else if (!(open === 'any' || (open === 'indented' && /^\s/.test(line))) || !DEVICE.test(line.slice(0, 40))) {
      if (!BETWEEN_DEVICES.test(line)) open = 'no';
      return '';
    }
    return line;
  });
  const kept = lines.filter((line) => line.trim() !== '').join('\n');
  if (kept !== '') readLines(kept, listing);
  return listing;
}

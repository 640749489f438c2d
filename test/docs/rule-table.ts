/** docs/rules.md: which rule of the behaviour specifications is modelled where, and by what tested. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Rule families of the four specifications, with what they are about. */
const FAMILIES: Readonly<Record<string, string>> = {
  ALI: 'requester-ID aliases', ALQ: 'DMA alias quirks', ACS: 'is ACS enabled', ACE: 'what the kernel enables at boot', AQK: 'ACS quirks', AQE: 'ACS enable quirks',
  GRP: 'group formation', GRD: 'which driver groups how', GRL: 'life time of groups', GR5: 'the 2025 rework of grouping', RSV: 'reserved regions', DOM: 'default domains', TYP: 'group type in sysfs',
  PGS: 'page sizes and apertures', MAP: 'iommu_map', UNM: 'iommu_unmap', CMD: 'command line', OWN: 'DMA ownership', OLD: 'viability up to 5.18', ATT: 'attach', SET: 'setting a group domain', ATD: 'attach by driver', FEA: 'device features and aux domains', IOPF: 'I/O page faults', COH: 'cache coherency', DRT: 'dirty tracking', NST: 'nesting', PAS: 'PASID attach',
  SVA: 'shared virtual addressing', VFG: 'VFIO container, group, device', VFT: 'VFIO type1', MDV: 'mediated devices', CDV: 'VFIO character devices', CMP: 'iommufd as a container', IFD: 'iommufd', IOP: 'io_pagetable',
  ACC: 'access objects', CNF: "iommufd's own tests", SBS: 'side by side', IOA: 'IOASIDs as merged', IOX: 'IOASID sets as proposed in 2021', HIS: 'where that design went', THR: 'the discussion of 2021', ARG: 'its positions', GEN: 'requests and results', PCIE: 'PCIe routing and ACS', VTD: 'Intel VT-d', AMD: 'AMD-Vi', SM: 'Arm SMMUv3: stream table, context descriptors, walks, events', LA: "Linux's SMMUv3 driver", MA: 'MSIs on Arm', RV: 'the RISC-V IOMMU', VI: 'virtio-iommu', LNX: 'what Linux programs',
};

/** Rules of the specifications that say nothing a simulation could show, with the reason. */
const WITHOUT_BEHAVIOUR: Readonly<Record<string, string>> = {
  'GRP-01': 'a driver asks the PCI helper about something that is no PCI device: a programming error, which no described driver makes',
  'GRP-33': 'a driver answers NULL instead of a group: the same',
  'GRD-23': 'IDs are added to a device without firmware node: the same',
  'GR5-09': 'an opinion about the series',
  'TYP-08': 'a race between two locks; the steps of a scenario follow one another',
  'SET-02': 'a crash kernel that keeps the tables of the kernel before it, which nobody described',
  'SVA-06': "how the processor's own tables are flushed",
  'ARG-04': 'a position in the discussion',
  'THR-05': 'a position in the discussion',
  'MDV-06': 'which module of the kernel wraps the operations of a vendor; no call shows it',
  'IFD-18b': 'a flag of the mapping that the modelled hardware does not look at',
  'CNF-06': 'the size of a buffer in the tests',
};

const RULE = new RegExp(`\\b(?:${Object.keys(FAMILIES).join('|')})-[A-Z]?\\d+[a-z]?\\b`, 'g');

interface Uses { readonly models: Set<string>; readonly tests: Set<string> }

export function ruleTable(root: string): string {
  const rules = new Map<string, Uses>();
  collect(root, 'server/simulator', ['.ts'], rules, 'models');
  collect(root, 'test', ['.ts', '.iommu'], rules, 'tests', ['test/docs/rule-table.ts']);
  const modelled = [...rules].filter(([, uses]) => uses.models.size > 0).map(([id]) => id);
  const sections = Object.entries(FAMILIES).flatMap(([family, title]) => section(family, title, modelled, rules));
  const tested = modelled.filter((id) => rules.get(id)!.tests.size > 0).length;
  return `# Rules\n\nGenerated from the code; do not edit. A rule ID stands at the code that models it and in the tests that hold it: ${modelled.length} rules are modelled, ${tested} of them are named by a test. The conformance runners (\`npm run conformance\`) hold many more against recorded reality without naming them.\n\n${sections.join('\n')}\n${withoutBehaviour()}`;
}

function section(family: string, title: string, modelled: readonly string[], rules: ReadonlyMap<string, Uses>): string[] {
  const ids = modelled.filter((id) => id.startsWith(`${family}-`)).sort((a, b) => letterOf(a).localeCompare(letterOf(b)) || numberOf(a) - numberOf(b) || (a < b ? -1 : 1));
  if (ids.length === 0) return [];
  return [`## ${family}: ${title}\n`, '| rule | modelled in | tested in |', '|---|---|---|', ...ids.map((id) => `| ${id} | ${links(rules.get(id)!.models)} | ${links(rules.get(id)!.tests)} |`), ''];
}

const withoutBehaviour = (): string =>
  `## Rules that say nothing a simulation could show\n\n| rule | why |\n|---|---|\n${Object.entries(WITHOUT_BEHAVIOUR).map(([id, why]) => `| ${id} | ${why} |`).join('\n')}\n`;

/** Some families have sections of their own: SM-C4. */
const letterOf = (id: string): string => /-([A-Z]?)/.exec(id)![1]!;
const numberOf = (id: string): number => Number(/\d+$/.exec(id.replace(/[a-z]$/, ''))?.[0] ?? 0);
const links = (files: ReadonlySet<string>): string => [...files].sort().map((file) => `[${file.replace(/^(server\/simulator|test)\//, '')}](../${file})`).join(', ');

function collect(root: string, folder: string, endings: readonly string[], rules: Map<string, Uses>, side: keyof Uses, skip: readonly string[] = []): void {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true, recursive: true })) {
    const path = relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/');
    if (!entry.isFile() || !endings.some((ending) => path.endsWith(ending)) || path.includes('node_modules') || skip.includes(path)) continue;
    for (const [id] of readFileSync(join(root, path), 'utf8').matchAll(RULE)) {
      const uses = rules.get(id) ?? { models: new Set(), tests: new Set() };
      uses[side].add(path);
      rules.set(id, uses);
    }
  }
}

/** The drawings of the README: each kind of device that the discussion of 2021 was about, under both models. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseFiles } from '../../language/index.js';
import { analyse } from '../../server/analysis/analysis.js';
import { compare } from '../../server/analysis/compare/compare.js';
import { DEFAULT_MODELS, modelNamed } from '../../server/analysis/compare/models.js';
import { comparisonSvg } from '../../server/protocol-compare-svg.js';

/** Example → the scenario of it that is drawn, after its last step. */
const DRAWN: readonly (readonly [file: string, scenario: string])[] = [
  ['examples/ioasid/mdev-1-software.iommu', '2021: the group is a fiction, and there is no domain'],
  ['examples/ioasid/mdev-2-one-function.iommu', '2021: a second group, and the domain on the parent'],
  ['examples/ioasid/mdev-3-pasid.iommu', '2021: an auxiliary domain on the parent'],
  ['examples/physical-function.iommu', '2021: the group is the unit, and the container makes its domain'],
  ['examples/pasid.iommu', '2021: one domain for the function; a PASID has none'],
];

/** File below docs/ → drawing. */
export async function comparisonDrawings(root: string): Promise<Map<string, string>> {
  const drawings = new Map<string, string>();
  const [left, right] = DEFAULT_MODELS.map((name) => modelNamed(name)!);
  for (const [file, scenario] of DRAWN) {
    const uri = `file:///${file}`;
    const { lowered } = await parseFiles([{ uri, text: readFileSync(join(root, file), 'utf8') }], uri);
    const { description, report } = analyse(lowered.description, (what, error) => { throw new Error(`${file}: ${what}`, { cause: error }); });
    const comparison = compare({ description, hosts: report.hosts, places: new Map(), uri, version: 0, title: basename(file) }, [left!, right!]);
    const run = comparison.runs.find(({ name }) => name === scenario);
    if (run === undefined) throw new Error(`${file} has no scenario "${scenario}"`);
    drawings.set(`images/compare-${basename(file, '.iommu')}.svg`, comparisonSvg(comparison, run, run.rows.length - 1));
  }
  return drawings;
}

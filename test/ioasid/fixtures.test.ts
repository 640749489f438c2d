/** Every expectation of the files about IOASIDs must be met. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describeFile } from './run-file.js';

for (const folder of ['test/fixtures/ioasid', 'examples/ioasid']) {
  for (const name of readdirSync(join(import.meta.dirname, '../..', folder)).sort()) if (name.endsWith('.iommu')) describeFile(`${folder}/${name}`);
}

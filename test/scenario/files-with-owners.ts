/** Examples and fixtures that have a `vm` or `process`, and no `domain` statement: those attach before any owner, and no scenario can. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

export const filesWithOwners = (): string[] => ['examples', 'test/fixtures'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.iommu')).map((name) => `${folder}/${name}`)
    .filter((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8');
      return /^\s*(vm|process) \S+ on /m.test(text) && !/^\s*domain \S+ on /m.test(text);
    })).sort();

/** Scenarios SC-01 to SC-92 of the specification: each iommufd one, from SC-56 on, has a scenario named after it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fixturesIn } from '../scenario/fixture-runner.js';

/** Those whose subject is a container of VFIO's own: test/fixtures/vfio has them. */
const OF_CONTAINERS = new Set([87, 88, 89]);

it('SC-56 to SC-92 are there', () => {
  const text = ['iommufd', 'section-7', 'vfio'].flatMap(fixturesIn).map((file) => readFileSync(join(import.meta.dirname, '../..', file), 'utf8')).join('\n');
  const named = new Set([...text.matchAll(/^scenario "([^"]*)"/gm)].flatMap(([, title]) => [...title!.matchAll(/SC-(\d+)/g)].map(([, id]) => Number(id))));
  const wanted = Array.from({ length: 92 - 56 + 1 }, (_, i) => 56 + i).filter((id) => !OF_CONTAINERS.has(id));
  expect(wanted.filter((id) => !named.has(id)).map((id) => `SC-${id}`)).toEqual([]);
});

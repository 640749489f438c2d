/** The scenarios of the IOMMU core. */
import { fixturesIn, runFixtures } from './fixture-runner.js';

runFixtures(fixturesIn('scenario'));

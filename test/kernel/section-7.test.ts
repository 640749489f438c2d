/** Attach, PASID, SVA and the rest of section 7. */
import { fixturesIn, runFixtures } from '../scenario/fixture-runner.js';

runFixtures(fixturesIn('section-7'));

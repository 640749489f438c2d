/** The scenarios of sections 3 to 6. */
import { fixturesIn, runFixtures } from '../scenario/fixture-runner.js';

runFixtures(fixturesIn('core'));

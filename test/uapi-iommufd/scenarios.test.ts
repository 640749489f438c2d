/** The scenarios of the specification that go through iommufd. */
import { fixturesIn, runFixtures } from '../scenario/fixture-runner.js';

runFixtures(fixturesIn('iommufd'));

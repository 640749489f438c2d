/** Every expectation of the files about IOASIDs must be met. */
import { filesIn, runFixtures } from '../scenario/fixture-runner.js';

runFixtures([...filesIn('test/fixtures/ioasid'), ...filesIn('examples/ioasid')]);

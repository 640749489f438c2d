/** Scenarios about one architecture's hardware: what a request meets there, and what the kernel prints about it. */
import { fixturesIn, runFixtures } from '../scenario/fixture-runner.js';

runFixtures(fixturesIn('hardware'));

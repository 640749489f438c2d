/** The scenarios of the specification that go through VFIO containers; SBS-01, SBS-02: then and now on one file. */
import { fixturesIn, runFixtures } from '../scenario/fixture-runner.js';

runFixtures([...fixturesIn('vfio'), 'examples/mdev-2021.iommu']);

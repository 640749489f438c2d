import { describe, expect, it } from 'vitest';
import { parseFiles } from '../../language/index.js';
import { RememberedRuns } from '../../server/analysis/remembered.js';
import type { MachineDescription } from '../../server/simulator/description.js';
import { simulate } from '../../server/simulator/index.js';
import { VIABLE } from '../samples.js';
import { URI } from '../helpers.js';

const SCENARIOS = `${VIABLE}
scenario "one" on desk { memory ram size 1MiB  open-container c  open-group g of gpu  set-container g to c  set-iommu c type1v2  map c iova 0x1000 size 4KiB from ram rw  dma gpu read 0x1000 size 4 expect ok }
scenario "two" on desk { open-iommufd fd }
`;

async function described(text: string): Promise<MachineDescription> {
  return (await parseFiles([{ uri: URI, text }], URI)).lowered.description;
}

describe('runs remembered from one keystroke to the next', () => {
  it.each([
    ['a comment', SCENARIOS.replace('scenario "two"', '// two\nscenario "two"')],
    ['another scenario', SCENARIOS.replace('open-iommufd fd', 'open-iommufd ctx')],
    ['the host', SCENARIOS.replace('6.12', '5.13')],
    ['a binding', SCENARIOS.replace('class audio  driver vfio-pci', 'class audio  driver snd_hda_intel')],
    ['the owner', SCENARIOS.replace('memory 4GiB', 'memory 2GiB')],
    ['a question', SCENARIOS.replace('0x1000 size 64', '0x2000 size 64')],
  ])('an edit of %s gives what a fresh simulation gives', async (_what, edited) => {
    const runs = new RememberedRuns();
    runs.simulate(await described(SCENARIOS));
    expect(runs.simulate(await described(edited))).toEqual(simulate(await described(edited)));
  });

  it('what did not change is not simulated again', async () => {
    const runs = new RememberedRuns();
    const before = runs.simulate(await described(SCENARIOS));
    const after = runs.simulate(await described(SCENARIOS.replace('open-iommufd fd', 'open-iommufd ctx')));
    expect(after.runs.map((run, index) => run === before.runs[index])).toEqual([true, true, false]);
  });
});

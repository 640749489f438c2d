/** `pasid-set` and `ioasid` in the language: what becomes of them, and what is said against them. */
import { describe, expect, it } from 'vitest';
import { described, parse } from '../language/support.js';

const codesOf = async (text: string): Promise<string[]> => (await parse(text)).problems.map((problem) => problem.code);

const HOST = 'host h { kernel 5.12 }\nvm v on h { memory 1GiB }\n';

describe('pasid-set', () => {
  it('becomes a set with owner, quota and first number', async () => {
    const { pasidSets } = await described(`${HOST}let many = 16\npasid-set s on h for v { quota many  first 0x100 }`);
    expect(pasidSets).toEqual([{ id: 'pasid-set:s', name: 's', host: 'h', owner: 'v', quota: 16n, first: 0x100n }]);
  });

  it('takes all that is left without a quota', async () => {
    expect((await described(`${HOST}pasid-set s on h`)).pasidSets).toEqual([{ id: 'pasid-set:s', name: 's', host: 'h', quota: 0n }]);
  });

  it('is left out when its owner is unknown', async () => {
    expect((await parse(`${HOST}pasid-set s on h for nobody { quota 1 }`)).description.pasidSets).toEqual([]);
  });

  it.each([
    ['{ quote 5 }', 'language/unknown-property'], ['{ quota }', 'language/property-value'], ['{ quota 1, 2 }', 'language/property-value'],
    ['{ quota 0x1_0000_0000 }', 'language/property-value'], ['{ quota 1 quota 2 }', 'language/duplicate-property'],
  ])('%s is told as %s', async (details, code) => {
    expect(await codesOf(`${HOST}pasid-set s on h ${details}`)).toEqual([code]);
  });

  it('is what a step may name where a set is due, and nothing else', async () => {
    const scenario = (step: string): string => `${HOST}pasid-set s on h\nscenario "x" on h { ${step} }`;
    expect(await codesOf(scenario('ioasid-alloc a in s'))).toEqual([]);
    expect(await codesOf(scenario('ioasid-alloc a in v'))).toEqual(['language/operand']);
    expect(await codesOf(scenario('set-container s to s'))).toEqual(['language/operand', 'language/operand']);
  });
});

describe('ioasid', () => {
  it('chooses the model of a host and of a scenario', async () => {
    const { hosts, scenarios } = await described('host h { kernel 5.12 { ioasid sets-2021 } }\nscenario "a" on h { }\nscenario "b" on h kernel 6.19 ioasid released { }');
    expect(hosts[0]?.kernel.ioasid).toBe('sets-2021');
    expect(scenarios.map((scenario) => scenario.ioasid)).toEqual([undefined, 'released']);
  });

  it('knows no other word', async () => {
    const { problems } = await parse('host h { kernel 5.12 { ioasid sets-2012 } }');
    expect(problems.map(({ code, message }) => [code, message])).toEqual([['language/unknown-word', expect.stringContaining('Did you mean `sets-2021`')]]);
  });
});

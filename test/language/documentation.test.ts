/** docs/language.md and the TextMate grammar say what the language does. `UPDATE_DOCS=1` writes the parts that are generated. */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { suppressionsIn } from '../../language/index.js';
import { registerReference, textMateGrammar, verbReference } from '../../language/reference.js';
import { VERBS } from '../../server/simulator/scenario/verbs.js';
import { parse } from './support.js';

const PAGE = new URL('../../docs/language.md', import.meta.url);
const GRAMMAR = new URL('../../syntaxes/iommu.tmLanguage.json', import.meta.url);
const VERB_PART = /<!-- verbs -->\n[\s\S]*<!-- \/verbs -->/;
const REGISTER_PART = /<!-- registers -->\n[\s\S]*<!-- \/registers -->/;

const update = process.env['UPDATE_DOCS'] === '1';
const verbPart = `<!-- verbs -->\n\n${verbReference()}\n\n<!-- /verbs -->`;
const registerPart = `<!-- registers -->\n\n${registerReference()}\n\n<!-- /registers -->`;
if (update) {
  writeFileSync(PAGE, readFileSync(PAGE, 'utf8').replace(VERB_PART, () => verbPart).replace(REGISTER_PART, () => registerPart));
  writeFileSync(GRAMMAR, `${JSON.stringify(textMateGrammar(), null, 2)}\n`);
}

const page = readFileSync(PAGE, 'utf8');
const blocks = [...page.matchAll(/^```iommu( error)?\n([\s\S]*?)^```$/gm)]
  .map((match) => ({ faulty: match[1] !== undefined, text: match[2]!, line: page.slice(0, match.index).split('\n').length }));

describe('docs/language.md', () => {
  it('has examples', () => expect(blocks.length).toBeGreaterThan(20));

  it.each(blocks.map((block) => [block.line, block] as const))('the example in line %i is what it says', async (_, { faulty, text }) => {
    const { problems } = await parse(text);
    const suppressed = suppressionsIn(text);
    const errors = problems.filter((problem) => problem.severity === 'error'
      && !suppressed.some((each) => each.line === problem.range.start.line && each.codes.includes(problem.code)));
    if (faulty) expect(errors.length).toBeGreaterThan(0);
    else expect(errors.map((problem) => `${problem.range.start.line + 1}: ${problem.message}`)).toEqual([]);
  });

  it('lists every verb as the table has it', () => expect(VERB_PART.exec(page)?.[0]).toBe(verbPart));

  it('lists every register as the table has it', () => expect(REGISTER_PART.exec(page)?.[0]).toBe(registerPart));
});

describe('the verb table', () => {
  it.each(VERBS.map((verb) => [verb.verb, verb] as const))('the example of %s is a step of that verb with all it needs', async (name, verb) => {
    const { problems } = await parse(`host h { }\nscenario "s" on h { ${verb.example} }`);
    expect(problems.filter((problem) => problem.code !== 'language/unknown-name').map((problem) => problem.message)).toEqual([]);
    expect(verb.example.startsWith(name)).toBe(true);
  });
});

describe('syntaxes/iommu.tmLanguage.json', () => {
  it('is what the tables make of it', () => expect(JSON.parse(readFileSync(GRAMMAR, 'utf8'))).toEqual(JSON.parse(JSON.stringify(textMateGrammar()))));
});

import { describe, expect, it } from 'vitest';
import { RULES } from '../../server/diagnostics/registry.js';
import { analyseText, applyFix, codesOf } from '../helpers.js';

describe.each(RULES.map((rule) => [rule.code, rule] as const))('%s', (code, rule) => {
  it('is found in its bad example, which has no other error', async () => {
    const bad = await analyseText(rule.example.bad);
    expect(codesOf(bad)).toContain(code);
    expect(bad.presented.filter((each) => each.severity === 'error' && each.code !== code).map((each) => `${each.code}: ${each.message}`)).toEqual([]);
  });

  it('is gone from its good example, which has no error at all', async () => {
    const good = await analyseText(rule.example.good);
    expect(codesOf(good)).not.toContain(code);
    expect(good.presented.filter((each) => each.severity === 'error').map((each) => `${each.code}: ${each.message}`)).toEqual([]);
  });

  it('is gone after each of its fixes', async () => {
    const bad = await analyseText(rule.example.bad);
    const fixes = bad.presented.filter((each) => each.code === code).flatMap((each) => each.finding?.fixes ?? []);
    for (const fix of fixes) {
      const repaired = await analyseText(applyFix(bad, fix));
      expect({ fix: fix.title, codes: codesOf(repaired).filter((each) => each === code || each.startsWith('syntax/') || each.startsWith('language/')) }).toEqual({ fix: fix.title, codes: [] });
    }
  });
});

it('codes are unique', () => {
  expect(new Set(RULES.map((rule) => rule.code)).size).toBe(RULES.length);
});

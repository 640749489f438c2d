/** The comparison view in a real browser: content, keys, accessibility, what it tells the editor. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ComparisonView } from '../../../server/protocol-compare.js';
import { chromiumPath, openBrowser } from '../trace/fixture.js';
import type { Theme } from '../trace/themes.js';
import { ViewPage, bundleView, compareText, example, URI, type ViewOptions } from './fixture.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const MEDIATED = 'mediated, type1 2021';

interface AxeViolation { readonly id: string; readonly impact: string; readonly nodes: readonly { readonly html: string }[] }

describe.skipIf(chromiumPath === undefined)('comparison view', () => {
  let browser: Browser;
  let bundle: Awaited<ReturnType<typeof bundleView>>;
  let comparison: ComparisonView;
  let view: ViewPage;
  beforeAll(async () => {
    [browser, bundle, comparison] = await Promise.all([openBrowser(), bundleView(), compareText(example('mdev-2021.iommu'))]);
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    expect(view.errors).toEqual([]);
    await view.close();
  });
  const show = async (run?: string, options: ViewOptions = {}) => {
    view = await ViewPage.open(browser, bundle, options);
    await view.show(comparison, run);
    return view.page;
  };
  const press = async (...keys: string[]) => { for (const key of keys) await view.page.keyboard.press(key); };
  const labels = (side: number, which = '') => view.page.locator('.side').nth(side).locator(`.box${which} .label`).allTextContents();

  it('draws the objects of both models and steps them together', async () => {
    const page = await show(MEDIATED);
    expect(await page.locator('.side h2').allTextContents()).toEqual(['VFIO type1, Linux 5.13', 'iommufd, Linux 6.19']);
    expect(await labels(0)).not.toContain('external domain');
    await press('ArrowRight', 'ArrowRight', 'ArrowRight');
    expect(await view.step()).toBe('by guest set-iommu c type1v2');
    expect(await labels(0, '.made')).toEqual(['external domain']);
    expect(await labels(0, '.fake')).toEqual(expect.arrayContaining(['external domain', 'group 3']));
    expect(await labels(1)).toContain('access 2');
    expect(await page.locator('.side').nth(0).locator('.edge.made').count()).toBe(2);
    await press('ArrowLeft');
    expect(await labels(1, '.made')).toEqual(['access 2']);
  });

  it('says what differs, why, by which rules, and leads to the line', async () => {
    const page = await show(MEDIATED);
    await press('d');
    expect(await view.step()).toBe('by guest set-container m to c');
    const difference = page.locator('.difference').first();
    expect(await difference.innerText()).toContain('makes an access object');
    expect(await difference.locator('.rules').innerText()).toContain('ACC-01');
    await difference.getByRole('button').click();
    expect((await view.messages()).at(-1)).toMatchObject({ type: 'reveal', focus: true, place: { uri: URI } });
    await press('Enter');
    expect((await view.messages()).at(-1)).toMatchObject({ type: 'reveal', focus: true });
  });

  it('shows what an object is: facts and mappings at that step', async () => {
    const page = await show(MEDIATED);
    for (let i = 0; i < 5; i++) await press('ArrowRight');
    await page.locator('.side').nth(0).locator('.box', { hasText: 'container' }).first().press('Enter');
    const object = page.locator('.object');
    expect(await object.innerText()).toContain('type1v2');
    expect(await object.locator('.mappings li').allTextContents()).toEqual(['0x0 64MiB rw → guest, recorded only']);
    await press('ArrowLeft');
    expect(await object.locator('.mappings li').count()).toBe(0);
  });

  it('is driven by the keyboard alone and forgets nothing over a reload', async () => {
    const page = await show(MEDIATED);
    await press('End');
    const last = comparison.runs.find(({ name }) => name === MEDIATED)!.rows.length - 1;
    await expect.poll(() => view.state()).toEqual({ uri: URI, models: ['type1@5.13', 'iommufd@6.19'], run: MEDIATED, row: last });
    await press('Home', 'ArrowRight', '?');
    expect(await page.locator('dialog').innerText()).toContain('in both models');
    await press('Escape');
    await view.close();
    await show(undefined, { state: { uri: URI, run: MEDIATED, row: 2 } });
    expect(await view.step()).toBe('by guest set-container m to c');
  });

  it('asks for other models, keeps its place when they come, and saves the drawing as SVG', async () => {
    const page = await show(MEDIATED);
    await press('d');
    await page.getByLabel('Right model').selectOption('type1@6.19');
    expect((await view.messages()).at(-1)).toEqual({ type: 'models', models: ['type1@5.13', 'type1@6.19'] });
    await view.show(await compareText(example('mdev-2021.iommu'), 'type1@5.13', 'type1@6.19'));
    await expect.poll(() => page.locator('.side h2').nth(1).innerText()).toBe('VFIO type1, Linux 6.19');
    expect(await view.step()).toBe('by guest set-container m to c');
    await page.getByRole('button', { name: 'SVG' }).click();
    const saved = (await view.messages()).at(-1);
    expect(saved).toMatchObject({ type: 'save', name: 'mediated-type1-2021-3.svg' });
    expect(saved?.type === 'save' && saved.text).toMatch(/^<svg /);
  });

  it('says in words what is drawn', async () => {
    const page = await show(MEDIATED);
    await press('ArrowRight', 'ArrowRight', 'ArrowRight');
    await page.locator('.in-words summary').first().click();
    expect(await page.locator('.in-words li.made').allTextContents()).toContain('New: IOMMU group group 3 is said to be in IOMMU domain external domain (only pretended)');
    expect(await page.locator('[aria-live=polite]').innerText()).toMatch(/^Step 4 of \d+: by guest set-iommu/);
    expect(await page.getByRole('button', { name: /^IOMMU domain external domain .*only pretended, new$/ }).count()).toBe(1);
  });

  it('drops messages that are none, and says why there is nothing', async () => {
    const page = await show();
    await view.send({ type: 'nonsense' });
    await view.send({ type: 'empty', reason: 'The file is not open.' });
    expect(await page.locator('.empty').innerText()).toBe('The file is not open.');
    await view.show({ ...comparison, runs: [] });
    expect(await page.locator('.nothing').innerText()).toContain('runs nothing');
  });

  it.each<[Theme, number]>([['dark', 1400], ['light', 1400], ['contrast', 1400], ['contrast-light', 1400], ['dark', 620]])('has no accessibility fault: %s, %i pixels', async (theme, width) => {
    const page = await show(MEDIATED, { theme, width });
    await press('d', 'd');
    await page.locator('.box').first().press('Enter');
    await page.evaluate(axe);
    const violations = await page.evaluate(async () => (await (window as unknown as { axe: { run(): Promise<{ violations: AxeViolation[] }> } }).axe.run()).violations);
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
  });
});

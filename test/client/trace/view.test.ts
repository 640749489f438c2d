/** The web view in a real browser: content, keys, accessibility, limits. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ViewPage, bundleView, chromiumPath, openBrowser, type ViewOptions } from './fixture.js';
import { largeSimulation, sampleSimulation } from './sample.js';
import type { Theme } from './themes.js';

const FILE = 'file:///desk.iommu';
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeViolation { readonly id: string; readonly impact: string; readonly nodes: readonly { readonly html: string }[] }

describe.skipIf(chromiumPath === undefined)('trace view', () => {
  let browser: Browser;
  let bundle: Awaited<ReturnType<typeof bundleView>>;
  let view: ViewPage;
  beforeAll(async () => {
    [browser, bundle] = await Promise.all([openBrowser(), bundleView()]);
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    expect(view.errors).toEqual([]);
    await view.close();
  });
  const open = async (options: ViewOptions = {}) => {
    view = await ViewPage.open(browser, bundle, options);
    return view;
  };
  const showSample = async (select?: string, options: ViewOptions = {}) => {
    await open(options);
    await view.show(sampleSimulation(FILE), select);
    return view.page;
  };

  it('lists every run with its results and selects the first DMA', async () => {
    const page = await showSample();
    expect(await page.locator('.row.run').allInnerTexts()).toEqual(['On desk', '2021: a mediated GPU has no domain']);
    expect(await page.locator('.row.action.bad .result').allTextContents()).toEqual(['EPERM, failed', 'IO_PAGE_FAULT, failed']);
    expect(await view.selectedRow()).toBe('dma gpu write 0x1000 size 64');
  });

  it('draws the path and shows each entry read with raw value, fields and permission', async () => {
    const page = await showSample('dma:0');
    expect(await page.locator('#path .node .label').allTextContents()).toEqual(['gpu', 'slot1', 'ivhd0', 'RAM of win11']);
    await page.locator('#step-4').click();
    const detail = page.locator('.detail');
    expect(await page.locator('#step-4 .value').innerText()).toBe('0x6000_0000_0100_4401');
    expect(await detail.locator('tbody tr').nth(1).innerText()).toMatch(/11:9\s+NextLevel\s+0x2\s+a table of level 2/);
    expect(await detail.locator('.bit').count()).toBe(64);
    expect(await page.locator('#step-4 .permission .for-ears').innerText()).toBe('readable, writable');
  });

  it('draws the host, with the way that joins the chosen group and the facts about it', async () => {
    const page = await showSample('host desk');
    const way = () => page.locator('#topology .box.way .label').allTextContents();
    expect(await page.locator('#topology .box').count()).toBe(7);
    expect(await way()).toEqual(['slot1', 'gpu', 'audio']);
    expect(await page.locator('.branch.way').count()).toBe(2);
    expect(await page.locator('.why li').allInnerTexts()).toEqual(['all: slot1 has ACS and isolates GRP-04', 'gpu: it starts a new group GRP-07', 'audio: its sibling gpu does not isolate GRP-06']);
    expect(await page.locator('.box.blamed .numbers').allTextContents()).toEqual(['1', '3']);
    await page.getByRole('button', { name: 'Group 15: show why' }).click();
    expect(await way()).toEqual(['slot2', 'gpu0', 'gpu1']);
    expect(await page.locator('.box.member .label').allTextContents()).toEqual(['slot2', 'gpu0', 'gpu1']);
    expect(await page.locator('.why h3').innerText()).toContain('is not known');
    await page.getByRole('button', { name: 'Group 13: show why' }).click();
    expect(await way()).toEqual(['root complex', 'slot1']);
    await page.locator('.box', { hasText: 'slot1' }).first().press('Enter');
    expect((await view.messages()).at(-1)).toMatchObject({ type: 'reveal', focus: true, place: { range: { start: { line: 6 } } } });
    await page.getByRole('button', { name: 'SVG' }).click();
    expect((await view.messages()).at(-1)).toMatchObject({ type: 'save', name: 'host-desk.svg' });
    await view.send({ type: 'select', action: 'host desk#14' });
    await expect.poll(way).toEqual(['slot1', 'gpu', 'audio']);
  });

  it('sets a path past the IOMMU apart', async () => {
    const page = await showSample('dma:2');
    expect(await page.locator('.ghost').count()).toBe(1);
    expect(await page.locator('.edge.bypass').count()).toBe(3);
    expect(await page.locator('.heading').innerText()).toContain('No IOMMU has seen it.');
    expect(await page.locator('#path .node.unit').count()).toBe(0);
  });

  it('shows the fault with its code and the line of the kernel', async () => {
    const page = await showSample('dma:1');
    expect(await page.locator('.heading').innerText()).toContain('IO_PAGE_FAULT');
    expect(await page.locator('.heading .log').innerText()).toContain('Event logged [IO_PAGE_FAULT domain=0x000e');
    await page.keyboard.press('f');
    expect(await view.selectedStep()).toBe(6);
    expect(await page.locator('.detail').innerText()).toContain('code 0x2');
  });

  it('is driven by the keyboard alone', async () => {
    const page = await showSample('dma:0');
    const press = async (...keys: string[]) => { for (const key of keys) await page.keyboard.press(key); };
    await press('n', 'n', 'n');
    expect(await view.selectedStep()).toBe(4);
    await press('p');
    expect(await view.selectedStep()).toBe(3);
    await press('End');
    expect(await view.selectedStep()).toBe(8);
    await press('n', 'Home');
    expect(await view.selectedStep()).toBe(1);
    await press('Enter');
    expect((await view.messages()).at(-1)).toMatchObject({ type: 'reveal', focus: true, place: { uri: FILE, range: { start: { line: 8 } } } });
    await page.locator('[role=listbox]').focus();
    await press('ArrowDown');
    expect(await view.selectedRow()).toBe('dma gpu write 0x7f00_0000_0000 size 64');
    await press('ArrowUp', 'ArrowUp');
    expect(await view.selectedRow()).toBe('assign gpu to win11');
    await press('End');
    expect(await view.selectedRow()).toBe('set-container g to c');
    await press('Home');
    expect(await view.selectedRow()).toBe('Groups of desk');
    await press('?');
    expect(await page.locator('dialog').innerText()).toContain('next or previous step');
    await press('Escape');
    await expect.poll(() => page.locator('dialog').count()).toBe(0);
  });

  it('reaches list, path, trace and step by Tab', async () => {
    const page = await showSample('dma:0');
    const seen = new Set<string>();
    for (let index = 0; index < 30; index += 1) {
      await page.keyboard.press('Tab');
      seen.add(await page.evaluate(() => document.activeElement?.getAttribute('role') ?? document.activeElement?.tagName.toLowerCase() ?? ''));
    }
    expect([...seen]).toEqual(expect.arrayContaining(['listbox', 'button', 'grid', 'select', 'section']));
  });

  it('moves the cursor of the editor when a step is clicked', async () => {
    const page = await showSample('dma:0');
    await page.locator('#step-1').click();
    expect((await view.messages()).at(-1)).toMatchObject({ type: 'reveal', focus: false, place: { range: { start: { line: 6 } } } });
  });

  it('filters by stage and lifts a filter that would show nothing', async () => {
    const page = await showSample('dma:0');
    await page.locator('select').selectOption('stage 1');
    expect(await page.locator('.step:not(.header) .number').allInnerTexts()).toEqual(['5', '6', '7']);
    expect(await view.selectedStep()).toBe(5);
    await page.locator('[role=option]', { hasText: 'assign gpu' }).click();
    expect(await page.locator('.step:not(.header)').count()).toBe(1);
  });

  it('copies an action as text and saves its path as SVG', async () => {
    const page = await showSample('dma:1');
    await page.keyboard.press('c');
    const copied = (await view.messages()).at(-1);
    expect(copied).toMatchObject({ type: 'copy' });
    expect(copied?.type === 'copy' && copied.text).toContain('4. The device table entry of 01:00.0 is valid');
    await page.getByRole('button', { name: 'SVG' }).click();
    const saved = (await view.messages()).at(-1);
    expect(saved).toMatchObject({ type: 'save', name: 'dma-1.svg' });
    const svg = saved?.type === 'save' ? saved.text : '';
    expect(svg).toMatch(/^<svg[^>]*xmlns/);
    expect(svg).not.toContain('var(--');
  });

  it('keeps the selection when the file is simulated anew and over a reload', async () => {
    await showSample('dma:1');
    await view.page.keyboard.press('n');
    await view.show({ ...sampleSimulation(FILE), version: 2 });
    expect(await view.selectedRow()).toContain('0x7f00_0000_0000');
    expect(await view.selectedStep()).toBe(2);
    const state = await view.state();
    expect(state).toEqual({ uri: FILE, action: 'dma:1', step: 1, group: null });
    await view.close();
    await open({ state });
    await view.show(sampleSimulation(FILE));
    expect(await view.selectedRow()).toContain('0x7f00_0000_0000');
    expect(await view.selectedStep()).toBe(2);
  });

  it('says why there is nothing, and drops messages that are not of the protocol', async () => {
    await open();
    await view.send({ type: 'nonsense' });
    await view.send({ type: 'empty', reason: 'There is nothing to simulate in this file yet.' });
    await expect.poll(() => view.page.locator('[role=status]').innerText()).toBe('There is nothing to simulate in this file yet.');
  });

  it('shows 10,000 actions and 10,000 steps without drawing them all', async () => {
    await open();
    /* Eight times the rows: whatever is drawn or copied per row and row would take 64 times the time. */
    const small = await view.timeToShow(largeSimulation(FILE, 1_250, 1_250));
    await view.close();
    await open();
    expect(await view.timeToShow(largeSimulation(FILE, 10_000, 10_000)) / small).toBeLessThan(32);
    const { page } = view;
    expect(await page.locator('.row').count()).toBeLessThan(80);
    expect(await page.locator('.step').count()).toBeLessThan(80);
    await page.keyboard.press('End');
    expect(await view.selectedStep()).toBe(10_000);
    await page.locator('[role=listbox]').focus();
    await page.keyboard.press('End');
    expect(await view.selectedRow()).toBe(`dma gpu write 0x${(9999 * 4096).toString(16)} size 64`);
  });

  for (const theme of ['dark', 'light', 'contrast', 'contrast-light'] satisfies Theme[]) {
    for (const [width, select] of [[900, 'dma:0'], [520, 'dma:1'], [900, 'dma:2'], [900, 'host desk']] as const) {
      it(`has no serious accessibility violation: ${theme}, ${width} px, ${select}`, async () => {
        const page = await showSample(select, { theme, width });
        if (select === 'dma:0') await page.locator('#step-3').click();
        await page.evaluate(axe);
        const violations = await page.evaluate(async () => (await (window as unknown as { axe: { run(): Promise<{ violations: AxeViolation[] }> } }).axe.run()).violations);
        const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
        expect(serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`)).toEqual([]);
        if (process.env.VIEW_IMAGES) await page.screenshot({ path: `${process.env.VIEW_IMAGES}/${theme}-${width}-${select.replace(/\W/g, '-')}.png` });
      });
    }
  }
});

/** What a person does with the extension, in order. Each entry: what must hold, and how it is found out. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { COMPARE_CHECKS } from './checks-compare.mjs';
import { DEBUGGER_CHECKS } from './checks-debugger.mjs';
import { OUTPUT_CHECKS } from './checks-outputs.mjs';
import { SPEED_CHECKS } from './checks-speed.mjs';
import { TEST_CHECKS } from './checks-tests.mjs';

const text = readFileSync(new URL('workspace/desk.iommu', import.meta.url), 'utf8').split('\n');
/** Line number, counted from 1, of the first line with a text. */
const lineOf = (part) => text.findIndex((line) => line.includes(part)) + 1;

const MAIN_CHECKS = [
  ['a file that uses another knows its names', async ({ workbench }) => {
    await workbench.openFile('uses.iommu');
    await workbench.editor.locator('.view-line', { hasText: /dma\saudio.*→\sfault/ }).first().waitFor({ timeout: 60_000 });
  }],
  ['a file opens from the explorer', ({ workbench }) => workbench.openFile('desk.iommu')],
  ['its language mode is IOMMU', ({ workbench }) => workbench.languageMode('IOMMU')],
  ['the text has colours', async ({ workbench }) => {
    const colours = await workbench.textColours();
    assert.ok(colours.length >= 4, `only ${colours.length} colours`);
  }],
  ['a failing assignment is underlined', async ({ workbench, screenshot }) => {
    await workbench.squiggle('error');
    await screenshot('2-squiggle');
  }],
  ['the Problems panel names call, errno and culprit', async ({ workbench }) => {
    const problems = (await workbench.problems()).join('\n');
    assert.match(problems, /group is not viable.*audio/s);
    assert.match(problems, /VFIO_GROUP_SET_CONTAINER.*EPERM/s);
    assert.match(problems, /ownership\/group-not-viable/);
  }],
  ['a click on the code opens its page', async ({ workbench, page }) => {
    await page.locator('.markers-panel .marker-code', { hasText: 'group-not-viable' }).first().click({ modifiers: ['ControlOrMeta'], timeout: 20_000 });
    await page.locator('.tab.active', { hasText: 'group-not-viable' }).waitFor({ timeout: 30_000 });
    await workbench.view.locator('.markdown-body h1, h1').first().waitFor({ timeout: 60_000 });
    await workbench.click(page.locator('.tab.active', { hasText: 'group-not-viable' }), 'middle');
    await page.locator('.tab.active', { hasText: 'desk.iommu' }).waitFor({ timeout: 20_000 });
    await workbench.closePanel();
  }],
  ['the status bar counts the findings', async ({ page }) => {
    await page.locator('.statusbar-item', { hasText: /\d+ IOMMU finding/ }).waitFor({ timeout: 20_000 });
  }],
  ['hints show the groups', async ({ workbench }) => {
    await workbench.editor.locator('.view-line', { hasText: /function\sgpu\s*group\s\d+/ }).first().waitFor({ timeout: 30_000 });
  }],
  ['lenses offer to simulate and to trace', async ({ page }) => {
    await page.locator('.codelens-decoration a', { hasText: /trace/i }).first().waitFor({ timeout: 30_000 });
  }],
  ['a hover explains the group', async ({ workbench, screenshot, page }) => {
    const hover = await workbench.hover('function gpu', 'gpu');
    assert.match(hover, /group \d+/i);
    await screenshot('3-hover');
    await page.keyboard.press('Escape');
  }],
  ['"IOMMU: Simulate" opens the trace view', async ({ workbench, page }) => {
    await workbench.clickWord('dma gpu write 0x7f00', 'dma');
    await workbench.command('IOMMU: Simulate');
    await workbench.view.locator('.app').waitFor({ timeout: 60_000 });
    await page.locator('.tab', { hasText: 'Trace: desk.iommu' }).waitFor();
  }],
  ['the view lists the run with its failing call', async ({ workbench }) => {
    const rows = workbench.view.locator('.row.action');
    await rows.filter({ hasText: 'dma gpu write 0x10_1000' }).waitFor({ timeout: 20_000 });
    await rows.filter({ hasText: 'EPERM' }).first().waitFor({ timeout: 20_000 });
  }],
  ['a quick fix clears the error', async ({ workbench, screenshot, page }) => {
    await workbench.clickWord('assign gpu', 'gpu');
    await page.keyboard.press('Control+.');
    await page.locator('.action-widget .monaco-list-row').first().waitFor({ timeout: 30_000 });
    await screenshot('4-quick-fix');
    await workbench.click(page.locator('.action-widget .monaco-list-row', { hasText: /audio/ }).first());
    await workbench.noSquiggle('error');
  }],
  ['the open view follows the change of the file', async ({ workbench }) => {
    const { view } = workbench;
    await workbench.click(view.locator('.row.action', { hasText: 'dma gpu write 0x10_1000' }));
    await view.locator('.heading', { hasText: /memory 0x/ }).waitFor({ timeout: 30_000 });
  }],
  ['"IOMMU: Trace DMA" shows the DMA at the cursor', async ({ workbench }) => {
    await workbench.clickWord('dma gpu write 0x10_1000', 'dma');
    await workbench.command('IOMMU: Trace DMA');
    await workbench.view.locator('.heading h1', { hasText: 'dma gpu write 0x10_1000' }).waitFor({ timeout: 30_000 });
  }],
  ['it shows the path and every table entry that was read', async ({ workbench, screenshot }) => {
    const { view } = workbench;
    await view.locator('#path .node.unit', { hasText: 'ivhd0' }).waitFor();
    const entry = view.locator('.step.read', { hasText: 'device table entry' });
    await entry.waitFor();
    assert.match(await entry.locator('.value').innerText(), /0x[0-9a-f_]{19}/);
    await workbench.click(view.locator('.step.read', { hasText: /level \d entry/ }).first());
    await view.locator('.detail .fields th', { hasText: 'NextLevel' }).waitFor();
    await screenshot('6-trace');
  }],
  ['a click on a step moves the cursor to its line', async ({ workbench }) => {
    await workbench.click(workbench.view.locator('.step', { hasText: 'ivhd0' }).first());
    await workbench.cursorOnLine(lineOf('iommu ivhd0'));
  }],
  ['a fault shows its code and the line of the kernel', async ({ workbench, screenshot }) => {
    const { view } = workbench;
    await workbench.click(view.locator('.row.action', { hasText: 'dma gpu write 0x7f00' }));
    await view.locator('.heading .log', { hasText: 'IO_PAGE_FAULT' }).waitFor({ timeout: 20_000 });
    await screenshot('8-fault');
  }],
  ['a click on the hint of a group draws why it is as it is', async ({ workbench, page, screenshot }) => {
    const { view } = workbench;
    await page.locator('.view-line', { hasText: /function\sgpu\s*group/ }).first().getByText(/^group\s\d+$/).click({ modifiers: ['ControlOrMeta'], timeout: 20_000 });
    await view.locator('#topology .box.member', { hasText: 'audio' }).waitFor({ timeout: 20_000 });
    await view.locator('.why li').first().waitFor();
    await screenshot('9-groups');
  }],
  ['a path past the IOMMU is set apart', async ({ workbench, screenshot }) => {
    const { view } = workbench;
    await workbench.click(view.locator('.row.action', { hasText: 'dma gpu0 write' }));
    await view.locator('.ghost').waitFor({ timeout: 20_000 });
    await screenshot('7-peer');
  }],
  ['the view is driven by the keyboard', async ({ workbench, page }) => {
    const { view } = workbench;
    await view.locator('[role=listbox]').focus();
    await page.keyboard.press('ArrowUp');
    await view.locator('.heading h1', { hasText: '0x7f00' }).waitFor();
    await page.keyboard.press('f');
    await view.locator('.step.fault[aria-selected=true], .step.bad[aria-selected=true]').waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.editor-instance .monaco-editor.focused').first().waitFor({ timeout: 20_000 });
  }],
  ['"IOMMU: Import Host…" makes a file of lspci output', async ({ workbench, page, screenshot }) => {
    await workbench.openFile('lspci.txt');
    await workbench.command('IOMMU: Import Host…', 'Import Host');
    await workbench.pick('Active Editor');
    await page.locator('.tab.active', { hasText: /Untitled/ }).waitFor({ timeout: 60_000 });
    await workbench.languageMode('IOMMU');
    await workbench.editor.locator('.view-line', { hasText: /host\s\w+/ }).first().waitFor({ timeout: 30_000 });
    await screenshot('5-import');
  }],
  ['the trace view survives a reload of the window', async ({ workbench, page }) => {
    await workbench.click(page.locator('.tab', { hasText: 'Trace: desk.iommu' }));
    await workbench.click(workbench.view.locator('.row.action', { hasText: 'dma gpu0 write' }));
    await workbench.view.locator('.heading h1', { hasText: 'dma gpu0 write' }).waitFor({ timeout: 20_000 });
    await workbench.reload();
    // In the browser the extension host of the reloaded window takes a minute to come.
    await workbench.view.locator('.heading h1', { hasText: 'dma gpu0 write' }).waitFor({ timeout: 180_000 });
  }],
];

/** Each in a browser of its own: what one leaves open is not in the way of the next. */
export const SESSIONS = [MAIN_CHECKS, OUTPUT_CHECKS, TEST_CHECKS, DEBUGGER_CHECKS, COMPARE_CHECKS, SPEED_CHECKS];

export const FIRST = ['the editor opens', ({ workbench, url }) => workbench.open(url)];
export const LAST = ['nothing in the page has crashed', async ({ crashes }) => assert.deepEqual(crashes, [])];

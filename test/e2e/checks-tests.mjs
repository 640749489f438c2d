/** The Test Explorer: what a person does with the tests of `workspace/steps.iommu`. */
import { readFileSync } from 'node:fs';

const SOON = 30_000;
const text = readFileSync(new URL('workspace/steps.iommu', import.meta.url), 'utf8').split('\n');
/** Line number, counted from 1, of the first line with a text. */
const lineOf = (part) => text.findIndex((line) => line.includes(part)) + 1;
const row = (page, text) => page.locator('.test-explorer .monaco-list-row', { hasText: text });

/** Runs a command of the Test Explorer on the whole list, and waits until a test has its result. */
async function runAll({ workbench, page }) {
  await workbench.command('Test: Run All Tests', 'Run All Tests');
  await row(page, 'one mapping').locator('.codicon-testing-passed-icon').waitFor({ timeout: SOON });
}

/** The editor opens a peek of its own when a test fails. Asked for another at that moment, it now and then shows one with nothing in it: that is closed. */
async function peek({ workbench, page }) {
  const diff = page.locator('.peekview-widget .monaco-diff-editor').first();
  for (let tries = 1; tries <= 3; tries++) {
    if (tries > 1) await page.keyboard.press('Escape');
    await workbench.command('Test: Peek Output', 'Peek Output');
    if (await diff.waitFor({ timeout: SOON / 3 }).then(() => true, () => false)) return diff;
  }
  throw new Error('No peek with the expected and the actual text.');
}

export const TEST_CHECKS = [
  ['tests: the Test Explorer lists files with their scenarios', async ({ workbench, page }) => {
    await page.keyboard.press('Control+1');
    await page.keyboard.press('Control+Shift+E');
    await workbench.openFile('steps.iommu');
    await workbench.click(page.locator('.activitybar .action-item .codicon-test-view-icon').first());
    const file = row(page, 'steps.iommu').first();
    await file.waitFor({ timeout: SOON });
    if (await file.getAttribute('aria-expanded') === 'false') await file.locator('.monaco-tl-twistie').click();
    await row(page, 'one mapping').waitFor({ timeout: SOON });
    await row(page, 'mapped twice').waitFor({ timeout: SOON });
  }],
  ['tests: a line with a test has its mark in the gutter', async ({ workbench }) => {
    await workbench.editor.locator('.testing-run-glyph').first().waitFor({ timeout: SOON });
  }],
  ['tests: all run; one passes, one fails', async (context) => {
    await runAll(context);
    await row(context.page, 'mapped twice').locator('.codicon-testing-failed-icon').waitFor({ timeout: SOON });
  }],
  ['tests: the failure stands at its line, expected against actual', async ({ workbench, page, screenshot }) => {
    await workbench.goToLine(lineOf('expect EINVAL'));
    await page.locator('.editor-instance .test-error-content-widget', { hasText: 'EEXIST' }).first().waitFor({ timeout: SOON });
    const diff = await peek({ workbench, page });
    await diff.locator('.original .view-line', { hasText: 'EINVAL' }).waitFor({ timeout: SOON });
    await diff.locator('.modified .view-line', { hasText: 'EEXIST' }).waitFor({ timeout: SOON });
    await screenshot('9-tests');
  }],
  ['tests: an edit is read at once, and its test runs from the gutter', async ({ workbench, page }) => {
    await page.keyboard.press('Escape');
    await workbench.goToLine(lineOf('expect EINVAL'));
    await page.keyboard.press('End');
    for (const _ of 'INVAL') await page.keyboard.press('Backspace');
    await page.keyboard.type('EXIST');
    await workbench.line('expect EEXIST').waitFor({ timeout: SOON });
    await workbench.goToLine(lineOf('scenario "mapped twice"'));
    await workbench.command('Test: Run Test at Cursor', 'Run Test at Cursor');
    await row(page, 'mapped twice').locator('.codicon-testing-passed-icon').waitFor({ timeout: SOON });
  }],
];

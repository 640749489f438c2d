/** "Compare Models" as a person uses it, on `mdev-2021.iommu` of the examples. */
import assert from 'node:assert/strict';

const SOON = 30_000;

export const COMPARE_CHECKS = [
  ['compare: "IOMMU: Compare Models" draws both models', async ({ workbench, page }) => {
    // Of several views only one is looked at.
    await workbench.closeAllEditors();
    await page.keyboard.press('Control+Shift+E');
    await workbench.openFile('mdev-2021.iommu');
    await workbench.languageMode('IOMMU');
    await workbench.command('IOMMU: Compare Models');
    await page.locator('.tab', { hasText: 'Compare: mdev-2021.iommu' }).waitFor({ timeout: SOON });
    const { view } = workbench;
    await view.locator('.side h2', { hasText: 'VFIO type1, Linux 5.13' }).waitFor({ timeout: 60_000 });
    await view.locator('.side h2', { hasText: 'iommufd, Linux 6.19' }).waitFor();
  }],
  ['compare: both are stepped together, and what changed is marked', async ({ workbench, page, screenshot }) => {
    const { view } = workbench;
    await view.locator('select.runs').selectOption({ label: 'mediated, type1 2021' });
    await view.locator('[role=listbox]').focus();
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowRight');
    await view.locator('.box.made.fake', { hasText: 'external domain' }).waitFor({ timeout: SOON });
    await view.locator('.side').nth(1).locator('.box', { hasText: 'access 2' }).waitFor();
    await view.locator('.difference', { hasText: 'no iommu_domain' }).first().waitFor();
    await screenshot('12-compare');
  }],
  ['compare: a difference leads to its line', async ({ workbench, page }) => {
    const { view } = workbench;
    const step = await view.locator('.step[aria-selected=true] .text').innerText();
    assert.match(step, /set-iommu c type1v2/);
    await workbench.click(view.locator('.details h2 button'));
    await page.locator('.editor-instance .monaco-editor.focused').first().waitFor({ timeout: SOON });
    await workbench.click(page.locator('.tab', { hasText: 'Compare: mdev-2021.iommu' }));
    await view.locator('.step[aria-selected=true] .text', { hasText: 'set-iommu c type1v2' }).waitFor({ timeout: 90_000 });
  }],
  ['compare: another model is one choice away', async ({ workbench }) => {
    const { view } = workbench;
    await view.getByLabel('Right model').selectOption('iommufd-container@6.12');
    await view.locator('.side h2', { hasText: 'iommufd as container, Linux 6.12' }).waitFor({ timeout: SOON });
    assert.match(await view.locator('.step[aria-selected=true] .text').innerText(), /set-iommu c type1v2/);
  }],
];

/** The number of findings of the open file, in the status bar. */
import { Disposable, StatusBarAlignment, ThemeColor, languages, window } from 'vscode';

export function showFindingsCount(): Disposable {
  const item = window.createStatusBarItem('iommu.findings', StatusBarAlignment.Right, 100);
  item.name = 'IOMMU findings';
  item.command = 'workbench.actions.view.problems';
  const update = () => {
    const document = window.activeTextEditor?.document;
    if (document?.languageId !== 'iommu') {
      item.hide();
      return;
    }
    const findings = languages.getDiagnostics(document.uri).length;
    item.text = findings === 0 ? '$(pass) IOMMU' : `$(warning) ${findings} IOMMU ${findings === 1 ? 'finding' : 'findings'}`;
    item.tooltip = findings === 0 ? 'The simulation found nothing to mention.' : 'Show the findings in the Problems panel.';
    item.backgroundColor = findings === 0 ? undefined : new ThemeColor('statusBarItem.warningBackground');
    item.accessibilityInformation = { label: findings === 0 ? 'IOMMU: no findings' : `IOMMU: ${findings} findings` };
    item.show();
  };
  update();
  return Disposable.from(
    item,
    window.onDidChangeActiveTextEditor(update),
    languages.onDidChangeDiagnostics(({ uris }) => {
      const open = window.activeTextEditor?.document.uri.toString();
      if (uris.some((uri) => uri.toString() === open)) update();
    }),
  );
}

/** The command "Export…": an owner's settings for another program, in a new document. */
import { window, workspace, type QuickPickItem } from 'vscode';
import type { BaseLanguageClient } from 'vscode-languageclient';
import { EXPORT_CHOICES_REQUEST, EXPORT_REQUEST, type ExportChoices, type ExportResult } from '../server/protocol.js';

type Owner = ExportChoices['owners'][number];
type Target = ExportChoices['targets'][number];

/** Of the file in the active editor. */
export async function exportOwner(client: BaseLanguageClient): Promise<void> {
  const document = window.activeTextEditor?.document;
  if (document?.languageId !== 'iommu') {
    void window.showInformationMessage('Open an .iommu file to export from it.');
    return;
  }
  const uri = document.uri.toString();
  try {
    const choices = await client.sendRequest<ExportChoices | null>(EXPORT_CHOICES_REQUEST, { uri });
    const owner = choices && (await pickOwner(choices.owners));
    const target = owner && (await pickTarget(choices.targets.filter((each) => owner.kind === 'vm' || !each.forVms)));
    if (!target) return;
    await show(await client.sendRequest<ExportResult>(EXPORT_REQUEST, { uri, owner: owner.name, target: target.name }));
  } catch (error) {
    void window.showErrorMessage(`The export failed: ${String(error)}`);
  }
}

/** The only one without asking; one that does not start says why instead. */
async function pickOwner(owners: readonly Owner[]): Promise<Owner | undefined> {
  if (owners.length === 0) void window.showInformationMessage('This file describes no vm and no process, so there is nothing to export.');
  const items = owners.map((owner): QuickPickItem & { readonly owner: Owner } => ({
    label: `${owner.problem === undefined ? '$(check)' : '$(error)'} ${owner.name}`, description: `${owner.kind} on ${owner.host}`, detail: owner.problem, owner,
  }));
  const picked = items.length <= 1 ? items[0] : await window.showQuickPick(items, { placeHolder: 'Export the settings of', matchOnDescription: true });
  if (picked?.owner.problem === undefined) return picked?.owner;
  void window.showErrorMessage(picked.owner.problem);
  return undefined;
}

async function pickTarget(targets: readonly Target[]): Promise<Target | undefined> {
  const picked = await window.showQuickPick(targets.map((target) => ({ label: target.title, description: target.name, target })), { placeHolder: 'Export to', matchOnDescription: true });
  return picked?.target;
}

async function show(result: ExportResult): Promise<void> {
  if ('error' in result) {
    void window.showErrorMessage(result.error);
    return;
  }
  await window.showTextDocument(await workspace.openTextDocument({ language: result.language, content: result.text }));
}

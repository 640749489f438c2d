/** The command "Import Host…": from files, the clipboard or the active editor to a new `.iommu` document. */
import { ProgressLocation, env, window, workspace, type QuickPickItem } from 'vscode';
import type { BaseLanguageClient } from 'vscode-languageclient';
import { IMPORT_REQUEST, type ImportParams, type ImportResult } from '../../server/protocol.js';
import { assemble, type Source } from './classify.js';

interface Origin extends QuickPickItem {
  /** Undefined when the person changed their mind. */
  read(): Promise<readonly Source[] | undefined>;
}

const ORIGINS: readonly Origin[] = [
  {
    label: '$(files) Files…',
    detail: 'lspci -vvv as root; optionally a listing of /sys/kernel/iommu_groups, dmesg and /proc/cmdline. Choose them together.',
    read: readFiles,
  },
  { label: '$(clippy) Clipboard', detail: 'The output of lspci -vvv, or a host facts file.', read: async () => [{ name: 'The clipboard', text: await env.clipboard.readText() }] },
  { label: '$(edit) Active Editor', detail: 'The selection, or the whole text.', read: readEditor },
];

export async function importHost(client: BaseLanguageClient): Promise<void> {
  const origin = await window.showQuickPick(ORIGINS, { placeHolder: 'Import a host from', matchOnDetail: true });
  const sources = await origin?.read();
  if (!sources) return;
  const params = assemble(sources);
  if ('error' in params) {
    void window.showErrorMessage(params.error);
    return;
  }
  const result = await window.withProgress({ location: ProgressLocation.Notification, title: 'Importing the host…' }, () => request(client, params));
  if ('error' in result) {
    void window.showErrorMessage(`The host cannot be imported: ${result.error}`);
    return;
  }
  const document = await workspace.openTextDocument({ language: 'iommu', content: result.text });
  await window.showTextDocument(document);
  if (result.notes.length > 0) await tellNotes(client, result.notes);
}

async function request(client: BaseLanguageClient, params: ImportParams): Promise<ImportResult> {
  try {
    return await client.sendRequest<ImportResult>(IMPORT_REQUEST, params);
  } catch (error) {
    return { error: String(error) };
  }
}

async function readFiles(): Promise<readonly Source[] | undefined> {
  const files = await window.showOpenDialog({ canSelectMany: true, openLabel: 'Import', title: 'Import Host' });
  if (!files) return undefined;
  return Promise.all(files.map(async (uri) => ({
    name: uri.path.split('/').at(-1) ?? uri.path,
    text: new TextDecoder().decode(await workspace.fs.readFile(uri)),
  })));
}

async function readEditor(): Promise<readonly Source[] | undefined> {
  const editor = window.activeTextEditor;
  if (!editor) {
    void window.showErrorMessage('No editor is open to import from.');
    return undefined;
  }
  return [{ name: 'The active editor', text: editor.document.getText(editor.selection.isEmpty ? undefined : editor.selection) }];
}

/** What the import could not know goes to the output; a message leads there. */
async function tellNotes(client: BaseLanguageClient, notes: readonly string[]): Promise<void> {
  const channel = client.outputChannel;
  channel.appendLine('Notes of the import:');
  for (const note of notes) channel.appendLine(`- ${note}`);
  const show = 'Show Notes';
  const count = notes.length === 1 ? 'There is 1 note' : `There are ${notes.length} notes`;
  if ((await window.showInformationMessage(`The host is imported. ${count} on what the output does not tell.`, show)) === show) channel.show(true);
}

/** The command "Show the Calls": a new document beside the file, or at its end where it has no folder on a disk. */
import { Uri, window, workspace, WorkspaceEdit, type TextDocument } from 'vscode';
import type { BaseLanguageClient } from 'vscode-languageclient';
import { CALLS_REQUEST, type CallsParams, type CallsResult } from '../server/protocol.js';

/** @param file and @param owner as the code lens passes them; without them, what the cursor is in */
export async function showCalls(client: BaseLanguageClient, file: unknown, owner: unknown): Promise<void> {
  const document = await documentOf(file);
  if (document === undefined) {
    void window.showInformationMessage('Open an .iommu file with a vm or a process to show its calls.');
    return;
  }
  const editor = window.activeTextEditor;
  const line = editor?.document === document ? editor.selection.active.line : undefined;
  const params: CallsParams = typeof owner === 'string' ? { uri: document.uri.toString(), owner } : { uri: document.uri.toString(), line };
  const shown = await client.sendRequest<CallsResult | null>(CALLS_REQUEST, params);
  if (shown === null) {
    void window.showInformationMessage('This file has no vm and no process with devices.');
    return;
  }
  await (document.uri.scheme === 'file' ? openBeside(document.uri, shown) : append(document, shown));
}

async function documentOf(file: unknown): Promise<TextDocument | undefined> {
  if (typeof file === 'string') return workspace.openTextDocument(Uri.parse(file));
  const active = window.activeTextEditor?.document;
  return active?.languageId === 'iommu' ? active : undefined;
}

/** Untitled, but with a place: its `use` leads to the file. */
async function openBeside(file: Uri, { document }: CallsResult): Promise<void> {
  const path = await freePath(file);
  const untitled = await workspace.openTextDocument(Uri.from({ scheme: 'untitled', path }));
  const edit = new WorkspaceEdit();
  edit.replace(untitled.uri, untitled.validateRange(untitled.lineAt(untitled.lineCount - 1).range.with({ start: untitled.positionAt(0) })), document);
  await workspace.applyEdit(edit);
  await window.showTextDocument(untitled, { preview: false });
}

/** "passthrough-calls.iommu", or with a number when there is one. */
async function freePath(file: Uri): Promise<string> {
  const stem = file.path.replace(/\.iommu$/, '');
  for (let n = 1; ; n++) {
    const path = `${stem}-calls${n === 1 ? '' : n}.iommu`;
    const taken = await workspace.fs.stat(file.with({ path })).then(() => true, () => false);
    if (!taken && !workspace.textDocuments.some((document) => document.uri.path === path)) return path;
  }
}

async function append(document: TextDocument, { scenarios }: CallsResult): Promise<void> {
  const edit = new WorkspaceEdit();
  edit.insert(document.uri, document.positionAt(document.getText().length), `\n${scenarios}`);
  await workspace.applyEdit(edit);
  await window.showTextDocument(document);
}

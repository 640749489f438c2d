/** What all views have in common: their page, and what they ask of the editor. */
import { Range, Uri, ViewColumn, window, workspace, type Webview } from 'vscode';
import type { PlaceView } from '../server/protocol.js';

/** Selects a place in its editor, which stays where it is open. */
export async function reveal({ uri, range }: PlaceView, focus: boolean): Promise<void> {
  const target = Uri.parse(uri);
  const visible = window.visibleTextEditors.find(({ document }) => document.uri.toString() === target.toString());
  const selection = new Range(range.start.line, range.start.character, range.end.line, range.end.character);
  try {
    await window.showTextDocument(target, { viewColumn: visible?.viewColumn ?? ViewColumn.One, preserveFocus: !focus, selection });
  } catch (error) {
    void window.showErrorMessage(`${target.path} cannot be opened: ${String(error)}`);
  }
}

/** Asks where to, beside the file that the view is about. */
export async function save(name: string, text: string, beside: string): Promise<void> {
  const target = await window.showSaveDialog({ defaultUri: Uri.joinPath(Uri.parse(beside), '..', name) });
  if (target) await workspace.fs.writeFile(target, new TextEncoder().encode(text));
}

/** The page of a view: its script and its style sheet, `dist/NAME.js` and `dist/NAME.css`; nothing else may be loaded. */
export function pageOf(webview: Webview, extension: Uri, name: string): string {
  const nonce = crypto.randomUUID().replaceAll('-', '');
  const resource = (file: string) => webview.asWebviewUri(Uri.joinPath(extension, 'dist', file)).toString();
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>IOMMU ${name}</title>
  <link rel="stylesheet" href="${resource(`${name}.css`)}">
</head>
<body>
  <div id="app"></div>
  <script nonce="${nonce}" src="${resource(`${name}.js`)}"></script>
</body>
</html>`;
}

/** The comparison: one panel per file; survives a reload of the window. */
import { Disposable, Uri, ViewColumn, window, workspace, type WebviewPanel, type WebviewPanelSerializer } from 'vscode';
import type { BaseLanguageClient } from 'vscode-languageclient';
import { COMPARE_REQUEST, fromCompareView, isModelPair, type CompareParams, type CompareResult, type FromCompareView, type ToCompareView } from '../server/protocol-compare.js';
import { normalUri, type Simulations } from './simulations.js';
import { Settled } from './settled.js';
import { fill, reveal, save } from './view-page.js';

/** A pause between keystrokes that ends an edit, in milliseconds. */
const QUIET = 400;

interface OpenPanel {
  readonly panel: WebviewPanel;
  readonly uri: string;
  /** Undefined: those that the server begins with. */
  models: readonly [string, string] | undefined;
  ready: boolean;
  readonly settled: Settled;
  latest: ToCompareView | null;
  /** Counts what was asked for: of several answers the last one is shown. */
  asked: number;
}

export class ComparePanels implements WebviewPanelSerializer, Disposable {
  static readonly viewType = 'iommu.compare';
  readonly #open = new Map<string, OpenPanel>();
  readonly #subscription: Disposable;

  constructor(private readonly extension: Uri, private readonly client: BaseLanguageClient, simulations: Simulations) {
    this.#subscription = simulations.onDidChange((uri) => this.#open.get(uri)?.settled.changed());
  }

  /** The file whose view is in front, if one is. */
  get activeFile(): string | undefined {
    for (const { panel, uri } of this.#open.values()) if (panel.active) return uri;
    return undefined;
  }

  /** Opens or reveals the comparison of a file. */
  async show(uri: string): Promise<void> {
    const known = this.#open.get(uri);
    if (known) known.panel.reveal(undefined, true);
    else this.#adopt(window.createWebviewPanel(ComparePanels.viewType, titleOf(uri), { viewColumn: ViewColumn.Active }, { retainContextWhenHidden: true }), uri, undefined);
    this.#open.get(uri)?.settled.now();
  }

  /** Called by the editor for a panel that was open when the window was closed. */
  async deserializeWebviewPanel(panel: WebviewPanel, state: unknown): Promise<void> {
    const saved = typeof state === 'object' && state !== null ? (state as Record<string, unknown>) : {};
    const uri = typeof saved.uri === 'string' ? normalUri(saved.uri) : undefined;
    if (!uri || this.#open.has(uri)) {
      panel.dispose();
      return;
    }
    this.#adopt(panel, uri, isModelPair(saved.models) ? saved.models : undefined);
    await workspace.openTextDocument(Uri.parse(uri)).then(() => this.#open.get(uri)?.settled.now(), () => this.#post(uri, { type: 'empty', reason: 'The file of this view is not there any more.' }));
  }

  #adopt(panel: WebviewPanel, uri: string, models: readonly [string, string] | undefined): void {
    const settled = new Settled(QUIET, () => panel.visible, () => void this.#refresh(uri));
    this.#open.set(uri, { panel, uri, models, ready: false, settled, latest: null, asked: 0 });
    panel.onDidChangeViewState(() => settled.lookedAt());
    panel.onDidDispose(() => {
      settled.dispose();
      this.#open.delete(uri);
    });
    panel.webview.onDidReceiveMessage((message: unknown) => void this.#receive(uri, fromCompareView(message)));
    panel.webview.options = { enableScripts: true, localResourceRoots: [] };
    void fill(panel.webview, this.extension, 'compare');
  }

  async #refresh(uri: string): Promise<void> {
    const open = this.#open.get(uri);
    if (!open) return;
    const number = ++open.asked;
    const params: CompareParams = { uri, models: open.models };
    const result = await this.client.sendRequest<CompareResult>(COMPARE_REQUEST, params).catch((error: unknown): CompareResult => ({ error: `The comparison failed: ${String(error)}` }));
    if (number === open.asked) this.#post(uri, 'error' in result ? { type: 'empty', reason: result.error } : { type: 'show', comparison: result.comparison });
  }

  #post(uri: string, message: ToCompareView): void {
    const open = this.#open.get(uri);
    if (!open) return;
    open.latest = message;
    if (open.ready) void open.panel.webview.postMessage(message);
  }

  async #receive(uri: string, message: FromCompareView | null): Promise<void> {
    const open = this.#open.get(uri);
    if (!open || !message) return;
    switch (message.type) {
      case 'ready':
        open.ready = true;
        if (open.latest) void open.panel.webview.postMessage(open.latest);
        return;
      case 'reveal':
        return reveal(message.place, message.focus === true);
      case 'models':
        open.models = message.models;
        return open.settled.now();
      case 'save':
        return save(message.name, message.text, uri);
    }
  }

  dispose(): void {
    this.#subscription.dispose();
    for (const { panel } of this.#open.values()) panel.dispose();
  }
}

const titleOf = (uri: string): string => `Compare: ${Uri.parse(uri).path.split('/').at(-1) ?? ''}`;

/** The command "Compare Models". The file as menus and the palette pass it. */
export async function compareModels(panels: ComparePanels, file: unknown): Promise<void> {
  const document = window.activeTextEditor?.document;
  const uri = typeof file === 'string' ? normalUri(file) : file instanceof Uri ? file.toString() : (panels.activeFile ?? (document?.languageId === 'iommu' ? document.uri.toString() : undefined));
  if (uri) await panels.show(uri);
  else void window.showInformationMessage('Open an .iommu file to compare models.');
}

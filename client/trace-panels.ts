/** The trace view: one panel per file, beside its editor; survives a reload of the window. */
import { Disposable, Uri, ViewColumn, env, window, workspace, type WebviewPanel, type WebviewPanelSerializer } from 'vscode';
import { fromView, type FromView, type SimulationView, type ToView } from '../server/protocol.js';
import { actionOnLine, groupOnLine, normalUri, type Simulations } from './simulations.js';
import { fill, reveal, save } from './view-page.js';

interface OpenPanel {
  readonly panel: WebviewPanel;
  readonly uri: string;
  simulation: SimulationView | null;
  /** The action to select when the view is ready. */
  wanted: string | undefined;
  ready: boolean;
}

export class TracePanels implements WebviewPanelSerializer, Disposable {
  static readonly viewType = 'iommu.trace';
  readonly #open = new Map<string, OpenPanel>();
  readonly #subscriptions: Disposable;

  constructor(private readonly extension: Uri, private readonly simulations: Simulations) {
    this.#subscriptions = Disposable.from(
      simulations.onDidChange((uri) => void this.#refresh(uri)),
      window.onDidChangeTextEditorSelection(({ textEditor, selections }) => this.#followCursor(textEditor.document.uri.toString(), selections[0]?.active.line)),
    );
  }

  /** The file whose view is in front, if one is. */
  get activeFile(): string | undefined {
    for (const { panel, uri } of this.#open.values()) if (panel.active) return uri;
    return undefined;
  }

  /** Opens or reveals the view of a file, with an action selected. */
  async show(uri: string, action?: string): Promise<void> {
    const known = this.#open.get(uri);
    if (known) {
      known.wanted = action;
      known.panel.reveal(undefined, true);
    } else {
      const panel = window.createWebviewPanel(TracePanels.viewType, titleOf(uri), { viewColumn: ViewColumn.Beside, preserveFocus: true }, { retainContextWhenHidden: true });
      this.#adopt(panel, uri, action);
    }
    await this.#refresh(uri);
  }

  /** Called by the editor for a panel that was open when the window was closed. */
  async deserializeWebviewPanel(panel: WebviewPanel, state: unknown): Promise<void> {
    const uri = typeof state === 'object' && state !== null && 'uri' in state && typeof state.uri === 'string' ? normalUri(state.uri) : undefined;
    if (!uri || this.#open.has(uri)) {
      panel.dispose();
      return;
    }
    this.#adopt(panel, uri, undefined);
    await workspace.openTextDocument(Uri.parse(uri)).then(() => this.#refresh(uri), () => this.#post(uri, { type: 'empty', reason: 'The file of this view is not there any more.' }));
  }

  #adopt(panel: WebviewPanel, uri: string, wanted: string | undefined): void {
    this.#open.set(uri, { panel, uri, simulation: null, wanted, ready: false });
    panel.onDidDispose(() => this.#open.delete(uri));
    panel.webview.onDidReceiveMessage((message: unknown) => void this.#receive(uri, fromView(message)));
    panel.webview.options = { enableScripts: true, localResourceRoots: [] };
    void fill(panel.webview, this.extension, 'trace');
  }

  async #refresh(uri: string): Promise<void> {
    const open = this.#open.get(uri);
    if (!open) return;
    try {
      open.simulation = await this.simulations.of(uri);
    } catch (error) {
      this.#post(uri, { type: 'empty', reason: `The simulation failed: ${String(error)}` });
      return;
    }
    this.#send(open);
  }

  #send(open: OpenPanel): void {
    if (!open.ready) return;
    const { simulation, wanted } = open;
    open.wanted = undefined;
    this.#post(open.uri, simulation ? { type: 'show', simulation, select: wanted } : { type: 'empty', reason: 'There is nothing to simulate in this file yet.' });
  }

  #post(uri: string, message: ToView): void {
    void this.#open.get(uri)?.panel.webview.postMessage(message);
  }

  async #receive(uri: string, message: FromView | null): Promise<void> {
    const open = this.#open.get(uri);
    if (!open || !message) return;
    switch (message.type) {
      case 'ready':
        open.ready = true;
        if (open.simulation) this.#send(open);
        return;
      case 'reveal':
        return reveal(message.place, message.focus === true);
      case 'copy':
        await env.clipboard.writeText(message.text);
        window.setStatusBarMessage('Copied.', 2000);
        return;
      case 'save':
        return save(message.name, message.text, uri);
    }
  }

  #followCursor(uri: string, line: number | undefined): void {
    const open = this.#open.get(uri);
    if (!open?.simulation || line === undefined || open.panel.active) return;
    if (!workspace.getConfiguration('iommu').get('trace.followCursor', true)) return;
    const target = actionOnLine(open.simulation, uri, line, ['dma', 'step', 'never'])?.id ?? groupOnLine(open.simulation, uri, line);
    if (target) this.#post(uri, { type: 'select', action: target });
  }

  dispose(): void {
    this.#subscriptions.dispose();
    for (const { panel } of this.#open.values()) panel.dispose();
  }
}

const titleOf = (uri: string): string => `Trace: ${Uri.parse(uri).path.split('/').at(-1) ?? ''}`;

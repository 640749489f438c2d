/** The tests of all files as the Test Explorer shows them: files, and in each its scenarios, owners and questions. */
import { Disposable, Range, RelativePattern, Uri, workspace, type TestController, type TestItem } from 'vscode';
import type { BaseLanguageClient } from 'vscode-languageclient';
import type { RangeView } from '../../server/protocol.js';
import { TESTS_REQUEST, type TestView, type TestsParams, type TestsView } from '../../server/protocol-tests.js';
import { normalUri, type Simulations } from '../simulations.js';

/** Files that are looked for tests. */
const MAX_FILES = 2_000;
/** Milliseconds without a change before a file is read again. */
const QUIET = 250;

export class TestTree implements Disposable {
  readonly #tests = new WeakMap<TestItem, TestView>();
  readonly #waiting = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #subscriptions: Disposable;

  constructor(private readonly client: BaseLanguageClient, private readonly controller: TestController, simulations: Simulations) {
    const watcher = workspace.createFileSystemWatcher('**/*.iommu');
    controller.resolveHandler = async (item) => {
      if (item === undefined) await this.#discover();
    };
    controller.refreshHandler = () => this.#discover();
    this.#subscriptions = Disposable.from(
      watcher,
      watcher.onDidCreate((uri) => this.#soon(uri.toString())),
      watcher.onDidChange((uri) => this.#soon(uri.toString())),
      watcher.onDidDelete((uri) => this.controller.items.delete(uri.toString())),
      simulations.onDidChange((uri) => this.#soon(uri)),
      workspace.onDidCloseTextDocument(({ uri, isUntitled }) => {
        if (isUntitled) this.controller.items.delete(uri.toString());
      }),
    );
  }

  /** Reads the files that are open already: their lines get their marks before anybody opens the Test Explorer. */
  async readOpen(): Promise<void> {
    for (const { languageId, uri } of workspace.textDocuments) if (languageId === 'iommu') await this.#read(uri.toString());
  }

  /** Undefined for a file. */
  testOf(item: TestItem): TestView | undefined {
    return this.#tests.get(item);
  }

  async #discover(): Promise<void> {
    for (const folder of workspace.workspaceFolders ?? []) {
      for (const uri of await workspace.findFiles(new RelativePattern(folder, '**/*.iommu'), '**/node_modules/**', MAX_FILES)) await this.#read(uri.toString());
    }
  }

  /** A burst of edits is one. */
  #soon(uri: string): void {
    clearTimeout(this.#waiting.get(uri));
    this.#waiting.set(uri, setTimeout(() => {
      this.#waiting.delete(uri);
      void this.#read(uri);
    }, QUIET));
  }

  /** A file without tests is not shown. */
  async #read(spelled: string): Promise<void> {
    const uri = normalUri(spelled);
    const params: TestsParams = { uri };
    const view = await this.client.sendRequest<TestsView | null>(TESTS_REQUEST, params).catch(() => null);
    if (view === null || (view.tests.length === 0 && view.problem === undefined)) {
      this.controller.items.delete(uri);
      return;
    }
    this.#show(uri, view);
  }

  #show(uri: string, { tests, problem }: TestsView): void {
    const file = this.controller.items.get(uri) ?? this.controller.createTestItem(uri, workspace.asRelativePath(Uri.parse(uri)), Uri.parse(uri));
    file.error = problem === undefined ? undefined : `The text has an error: ${problem}`;
    this.controller.items.add(file);
    file.children.replace(tests.map((test, index) => this.#item(file, test, index)));
  }

  /** The item that is there already keeps its results. */
  #item(file: TestItem, test: TestView, index: number): TestItem {
    const known = file.children.get(test.id);
    const item = known !== undefined && known.label === test.label ? known : this.controller.createTestItem(test.id, test.label, file.uri);
    item.description = test.where;
    item.range = rangeOf(test.range);
    item.sortText = String(index).padStart(6, '0');
    this.#tests.set(item, test);
    return item;
  }

  dispose(): void {
    this.#subscriptions.dispose();
    for (const timer of this.#waiting.values()) clearTimeout(timer);
  }
}

export const rangeOf = ({ start, end }: RangeView): Range => new Range(start.line, start.character, end.line, end.character);

/** From "debug this" to a complete launch configuration: which file, which scenario of it. */
import { Uri, window, workspace, type DebugConfiguration, type DebugConfigurationProvider, type QuickPickItem, type TextDocument, type WorkspaceFolder } from 'vscode';
import type { BaseLanguageClient } from 'vscode-languageclient';
import { TESTS_REQUEST, type TestView, type TestsParams, type TestsView } from '../../server/protocol-tests.js';

/** Attributes that say which run; without `scenario` it is that of the host. */
interface RunOfFile {
  readonly name: string;
  readonly scenario?: string;
  readonly host?: string;
  /** Identity of the statement before which it begins. */
  readonly from?: string;
}

/** Of one test: its scenario, or the run of its host from its statement on. */
export const configurationOf = (uri: string, test: TestView): DebugConfiguration => ({ type: 'iommu', request: 'launch', program: uri, stopOnEntry: true, ...runOf(test) });

const runOf = ({ id, kind, label, host }: TestView): RunOfFile => (kind === 'scenario' ? { name: label, scenario: label } : { name: label, host, from: id });

/** Scenarios of the file in front, each as something to start. */
export async function configurationsOfActiveFile(client: BaseLanguageClient): Promise<DebugConfiguration[]> {
  const document = activeDocument();
  if (document === undefined) return [];
  const uri = document.uri.toString();
  return (await testsOf(client, uri)).filter(({ kind }) => kind === 'scenario').map((test) => configurationOf(uri, test));
}

export class Configurations implements DebugConfigurationProvider {
  constructor(private readonly client: BaseLanguageClient) {}

  /** What a new launch.json begins with. */
  provideDebugConfigurations(): DebugConfiguration[] {
    return [{ type: 'iommu', request: 'launch', name: 'Debug the scenario at the cursor', program: '${file}', stopOnEntry: true }];
  }

  /** Without launch.json the configuration is empty: the file in front is meant. `${file}` would lose a scheme that is not "file". */
  resolveDebugConfiguration(_folder: WorkspaceFolder | undefined, configuration: DebugConfiguration): DebugConfiguration | undefined {
    const active = activeDocument()?.uri.toString();
    const { program } = configuration;
    const wanted: unknown = program === undefined || program === '${file}' ? active : program;
    if (typeof wanted !== 'string') {
      void window.showInformationMessage('Open an .iommu file to debug it.');
      return undefined;
    }
    return { stopOnEntry: true, ...configuration, type: 'iommu', request: 'launch', name: configuration.name || 'Debug', program: wanted };
  }

  async resolveDebugConfigurationWithSubstitutedVariables(folder: WorkspaceFolder | undefined, configuration: DebugConfiguration): Promise<DebugConfiguration | undefined> {
    const program = uriOf(String(configuration.program), folder);
    if (configuration.scenario !== undefined || configuration.host !== undefined) return { ...configuration, program };
    const run = await this.#choose(program);
    return run && { ...configuration, ...run, program, name: run.name || configuration.name };
  }

  /** The one at the cursor, the only one, or the one that is picked. A file without any is left to the server to explain. */
  async #choose(uri: string): Promise<Partial<RunOfFile> | undefined> {
    const tests = await testsOf(this.client, uri);
    const line = activeDocument()?.uri.toString() === uri ? window.activeTextEditor?.selection.active.line : undefined;
    const atCursor = tests.find(({ range }) => line !== undefined && range.start.line <= line && line <= range.end.line);
    if (atCursor !== undefined) return runOf(atCursor);
    const runs = runsOf(tests);
    if (runs.length <= 1) return runs[0]?.run ?? {};
    return (await window.showQuickPick(runs, { placeHolder: 'Debug which scenario?', matchOnDescription: true }))?.run;
  }
}

interface RunItem extends QuickPickItem {
  readonly run: RunOfFile;
}

/** Scenarios, and each host once. */
function runsOf(tests: readonly TestView[]): RunItem[] {
  const scenarios = tests.filter(({ kind }) => kind === 'scenario').map((test): RunItem => ({ label: test.label, description: test.where, run: runOf(test) }));
  const hosts = [...new Set(tests.filter(({ kind }) => kind !== 'scenario').map(({ host }) => host))];
  return [...scenarios, ...hosts.map((host): RunItem => ({ label: `host ${host}`, description: 'its owners and questions', run: { name: `host ${host}`, host } }))];
}

async function testsOf(client: BaseLanguageClient, uri: string): Promise<readonly TestView[]> {
  const params: TestsParams = { uri };
  return (await client.sendRequest<TestsView | null>(TESTS_REQUEST, params))?.tests ?? [];
}

function activeDocument(): TextDocument | undefined {
  const document = window.activeTextEditor?.document;
  return document?.languageId === 'iommu' ? document : undefined;
}

/** A URI as it is; a path in the file system of its folder. */
function uriOf(program: string, folder = workspace.workspaceFolders?.[0]): string {
  if (/^[A-Za-z][\w+.-]+:/.test(program)) return Uri.parse(program).toString();
  const absolute = /^([A-Za-z]:)?[\\/]/.test(program);
  if (folder === undefined || (absolute && folder.uri.scheme === 'file')) return Uri.file(program).toString();
  return (absolute ? folder.uri.with({ path: program }) : Uri.joinPath(folder.uri, program)).toString();
}

/** Scenarios, owners and questions in VS Code's Test Explorer. */
import { Disposable, TestRunProfileKind, tests } from 'vscode';
import type { BaseLanguageClient } from 'vscode-languageclient';
import type { Simulations } from '../simulations.js';
import { TestRuns } from './test-runs.js';
import { TestTree } from './test-tree.js';

/** To be called when the server runs. */
export function provideTests(client: BaseLanguageClient, simulations: Simulations): Disposable {
  const controller = tests.createTestController('iommu', 'IOMMU');
  const tree = new TestTree(client, controller, simulations);
  const runs = new TestRuns(client, controller, tree, simulations);
  controller.createRunProfile('Simulate', TestRunProfileKind.Run, (request, cancel) => runs.run(request, cancel), true, undefined, true);
  controller.createRunProfile('Debug', TestRunProfileKind.Debug, (request, cancel) => runs.debug(request, cancel), true);
  void tree.readOpen();
  return Disposable.from(controller, tree);
}

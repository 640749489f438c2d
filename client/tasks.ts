/** Tasks of type "iommu": the terminal command, with its findings in the Problems panel (`$iommu`). */
import { ProcessExecution, Task, TaskGroup, TaskScope, tasks, workspace, type Disposable, type TaskDefinition, type WorkspaceFolder } from 'vscode';

const COMMANDS = ['check', 'simulate', 'groups'] as const;
type Command = (typeof COMMANDS)[number];

interface IommuTask extends TaskDefinition {
  readonly command: Command;
  readonly files?: readonly string[];
}

/** @param terminal The bundled terminal command, as an absolute path. */
export function provideTasks(terminal: string): Disposable {
  return tasks.registerTaskProvider('iommu', {
    provideTasks: async () => (await Promise.all((workspace.workspaceFolders ?? []).map((folder) => taskOf(terminal, { type: 'iommu', command: 'check' }, folder)))),
    resolveTask: ({ definition, scope }) => {
      const folder = typeof scope === 'object' ? scope : workspace.workspaceFolders?.[0];
      return isIommuTask(definition) && folder ? taskOf(terminal, definition, folder) : undefined;
    },
  });
}

const isIommuTask = (definition: TaskDefinition): definition is IommuTask =>
  definition.type === 'iommu' && COMMANDS.includes(definition.command as Command);

/** Runs on the Node that runs the extension host: nothing has to be installed. */
async function taskOf(terminal: string, definition: IommuTask, folder: WorkspaceFolder): Promise<Task> {
  const files = definition.files ?? (await workspace.findFiles('**/*.iommu', '**/node_modules/**')).map((uri) => workspace.asRelativePath(uri, false));
  const execution = new ProcessExecution(process.execPath, [terminal, definition.command, ...files], { cwd: folder.uri.fsPath, env: { ELECTRON_RUN_AS_NODE: '1' } });
  const task = new Task(definition, folder ?? TaskScope.Workspace, `${definition.command} all files`, 'iommu', execution, '$iommu');
  if (definition.command === 'check') task.group = TaskGroup.Test;
  return task;
}

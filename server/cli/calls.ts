import { basename } from 'node:path';
import { callsDocument, shownCalls } from '../analysis/calls.js';
import { EXIT, UsageError, type ExitCode } from './exit-codes.js';
import { filesOf, parseArguments } from './arguments.js';
import { load } from './load.js';

/** `iommu calls FILE [--owner NAME]`: what the programs of its owners call, as a file with scenarios that lies beside FILE. */
export async function calls(args: readonly string[]): Promise<ExitCode> {
  const parsed = parseArguments(args, { owner: { type: 'string' } });
  const [path, ...more] = filesOf(parsed);
  if (more.length > 0) throw new UsageError('calls takes one file');
  const { analysis } = await load(path!);
  const { owners } = analysis.description;
  const name = parsed.values.owner;
  const owner = owners.find((each) => each.name === name);
  if (name !== undefined && owner === undefined) throw new UsageError(`no vm or process is called "${String(name)}"`);
  const shown = shownCalls(analysis, owner?.id);
  if (shown.length === 0) throw new UsageError(`${path}: has no vm and no process`);
  console.log(callsDocument(basename(path!), shown));
  return EXIT.clean;
}

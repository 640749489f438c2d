import { exportOwner, isRefusal } from '../analysis/export.js';
import { EXPORT_TARGETS } from '../interchange/export.js';
import { EXIT, UsageError, type ExitCode } from './exit-codes.js';
import { filesOf, parseArguments } from './arguments.js';
import { load } from './load.js';

/** `iommu export FILE --to TARGET [--owner NAME]`: settings of an owner that starts in the simulation. Ends with 1 when it does not. */
export async function exportCommand(args: readonly string[]): Promise<ExitCode> {
  const parsed = parseArguments(args, { to: { type: 'string' }, owner: { type: 'string' } });
  const [path, ...more] = filesOf(parsed);
  const { to, owner } = parsed.values;
  if (more.length > 0) throw new UsageError('export takes one file');
  if (typeof to !== 'string' || !EXPORT_TARGETS.some(({ name }) => name === to)) throw new UsageError(`--to takes one of ${EXPORT_TARGETS.map(({ name }) => name).join(', ')}`);
  const { analysis } = await load(path!);
  const { owners } = analysis.description;
  if (typeof owner === 'string' ? !owners.some(({ name }) => name === owner) : owners.length !== 1) throw new UsageError(`--owner takes one of ${owners.map(({ name }) => name).join(', ') || 'the owners of the file, and there are none'}`);
  const result = exportOwner(analysis, to, typeof owner === 'string' ? owner : undefined);
  if (isRefusal(result)) {
    process.stderr.write(`${path}: ${result.error}\n${result.findings.map(({ code }) => `  [${code}]\n`).join('')}`);
    return EXIT.findings;
  }
  // A command line is one line, so that it can be used as it is; a file carries its notes with it.
  process.stdout.write(to === 'cmdline' ? result.text : result.annotated);
  if (to === 'cmdline') for (const note of result.notes) process.stderr.write(`${path}: ${note}\n`);
  return EXIT.clean;
}

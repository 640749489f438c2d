import { EXIT, type ExitCode } from './exit-codes.js';
import { FORMAT_OPTION, filesOf, formatOf, parseArguments } from './arguments.js';
import { toJson } from './json.js';
import { load } from './load.js';
import { counts, findingJson, printFindings } from './print-findings.js';

/** `iommu check FILE...`: findings only. */
export async function check(args: readonly string[]): Promise<ExitCode> {
  const parsed = parseArguments(args, FORMAT_OPTION);
  const format = formatOf(parsed);
  const all = [];
  for (const path of filesOf(parsed)) all.push(await load(path));
  if (format === 'json') console.log(toJson({ files: all.map((each) => ({ path: each.path, findings: each.presented.map(findingJson) })) }));
  else {
    for (const each of all) if (each.presented.length > 0) console.log(printFindings(each));
    const total = all.reduce((sum, each) => sum + each.presented.length, 0);
    console.log(`${all.length} file${all.length === 1 ? '' : 's'}, ${total} finding${total === 1 ? '' : 's'}`);
  }
  return all.some((each) => counts(each.presented)) ? EXIT.findings : EXIT.clean;
}

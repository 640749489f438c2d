import { LANGUAGE_CODES } from '../../language/index.js';
import { RULES, ruleNamed } from '../diagnostics/registry.js';
import { rulePage } from '../diagnostics/page.js';
import { EXIT, UsageError, type ExitCode } from './exit-codes.js';
import { parseArguments } from './arguments.js';

/** `iommu explain CODE`: the page of a diagnostic; without CODE, all codes. */
export function explain(args: readonly string[]): ExitCode {
  const { files } = parseArguments(args, {});
  if (files.length === 0) {
    for (const rule of RULES) console.log(`${rule.code.padEnd(36)} ${rule.title}`);
    for (const [code, title] of LANGUAGE_CODES) console.log(`${code.padEnd(36)} ${title}`);
    return EXIT.clean;
  }
  for (const code of files) {
    const rule = ruleNamed.get(code);
    const title = LANGUAGE_CODES.get(code);
    if (rule !== undefined) console.log(rulePage(rule));
    else if (title !== undefined) console.log(`# ${code}\n\n${title}`);
    else throw new UsageError(`no diagnostic has the code "${code}"; "iommu explain" lists them`);
  }
  return EXIT.clean;
}

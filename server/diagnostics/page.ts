/** The documentation page of a diagnostic, as Markdown. */
import type { DiagnosticRule } from './rule.js';

export const rulePage = (rule: DiagnosticRule): string => `# ${rule.code}

${rule.title}. (${rule.severity})

${rule.documentation}

## Example

\`\`\`iommu
${rule.example.bad.trimEnd()}
\`\`\`

Repaired:

\`\`\`iommu
${rule.example.good.trimEnd()}
\`\`\`

To accept it in one place, write \`// iommu-disable-next-line ${rule.code}: reason\` above the line.
`;

/** Where the page is, below docs/. */
export const pagePath = (code: string): string => `diagnostics/${code.replace('/', '-')}.md`;

/** Arrows point one way only: see docs/architecture.md. */
const floors = ['scenario', 'uapi', 'kernel', 'hardware', 'fabric', 'memory'];
const sim = '^server/simulator';
/** A floor may import itself and the floors below it. `trace` and the plain-data files are for all. */
const upward = floors.map((floor, height) => ({
  name: `simulator-${floor}-looks-down-only`, severity: 'error',
  from: { path: `${sim}/${floor}/` }, to: { path: `${sim}/(${floors.slice(0, height).join('|') || 'no-such-floor'})/` },
}));
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: { pathNot: 'generated|^esbuild.mjs' }, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    { name: 'simulator-is-pure', severity: 'error', from: { path: sim }, to: { pathNot: sim } },
    ...upward,
    { name: 'language-knows-only-simulator-input', severity: 'error', from: { path: '^language' }, to: { path: `^(client|server)`, pathNot: `${sim}/(description|scenario/verbs|memory/address|kernel/profile|hardware/register-map)` } },
    { name: 'language-knows-no-editor', severity: 'error', from: { path: '^language' }, to: { path: 'node_modules/(vscode$|vscode/|vscode-languageclient)' } },
    { name: 'reading-knows-no-language-server', severity: 'error', from: { path: '^language', pathNot: '^language/editor/' }, to: { path: 'node_modules/(langium/lib/lsp|vscode-languageserver(-protocol)?/)', dependencyTypesNot: ['type-only'] } },
    { name: 'terminal-knows-no-language-server', severity: 'error', from: { path: '^server/(cli|analysis|diagnostics|interchange|testing|debug)' }, to: { path: '^language/editor/(index|services)|node_modules/(langium/lib/lsp|vscode-languageserver(-protocol)?/)', dependencyTypesNot: ['type-only'] } },
    { name: 'interchange-knows-simulator-types', severity: 'error', from: { path: '^server/interchange' }, to: { path: '^(client|language|server)', pathNot: `^server/(interchange|simulator)` } },
    { name: 'client-knows-protocol-only', severity: 'error', from: { path: '^client' }, to: { path: '^(language|server)', pathNot: '^server/protocol' } },
    { name: 'compare-view-stands-alone', severity: 'error', from: { path: '^client/compare/' }, to: { path: '^client', pathNot: '^client/(compare|view)/' } },
    { name: 'web-view-stands-alone', severity: 'error', from: { path: '^client/trace/' }, to: { path: '^client', pathNot: '^client/(trace|view)/' } },
    { name: 'server-knows-no-vscode', severity: 'error', from: { path: '^(server|language)' }, to: { path: 'node_modules/(vscode-languageclient|@types/vscode)' } },
    { name: 'nothing-imports-tests', severity: 'error', from: { pathNot: '^test' }, to: { path: '^test' } },
  ],
  options: { tsPreCompilationDeps: true, tsConfig: { fileName: 'tsconfig.json' }, doNotFollow: { path: 'node_modules' }, enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node'] } },
};

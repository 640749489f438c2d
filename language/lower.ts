/**
 * From syntax trees to the machine description: the one step between the language and the simulator. Total: whatever a syntax
 * error left incomplete is left out, and the rest is described.
 */
import { AstUtils, type LangiumDocument, type LangiumDocuments } from 'langium';
import type { Question } from '../server/simulator/description.js';
import type { Lowered } from './places.js';
import * as ast from './generated/ast.js';
import { filesOf } from './names.js';
import { Context } from './lowering/context.js';
import { lowerHost, nameHost, type HostSource } from './lowering/host.js';
import { lowerClaim, lowerDma, lowerDomain, lowerNever, lowerOwner, lowerPasidSet, nameOwner, namePasidSet } from './lowering/owners.js';
import { lowerScenario } from './lowering/scenarios.js';

/**
 * The first document, with the hosts, owners and domains of the others. What the others claim, ask or run is theirs: it is
 * reported when they are the first.
 */
export function lower(documents: readonly LangiumDocument[]): Lowered {
  const files = documents.map((document) => document.parseResult.value).filter(ast.isFile);
  const own = files[0]?.statements ?? [];
  const all = files.flatMap((file) => file.statements);
  const context = new Context();
  const sources = hostSources(files);
  for (const source of sources) nameHost(context, source);
  const owners = all.filter(ast.isOwner);
  for (const owner of owners) nameOwner(context, owner);
  const pasidSets = all.filter(ast.isPasidSet);
  for (const set of pasidSets) namePasidSet(context, set);
  const description = {
    hosts: sources.map((source) => lowerHost(context, source)),
    groupClaims: own.flatMap((statement) => claimsOf(context, statement)),
    owners: owners.flatMap((owner) => lowerOwner(context, owner)),
    ...(pasidSets.length === 0 ? {} : { pasidSets: pasidSets.flatMap((set) => lowerPasidSet(context, set)) }),
    domains: all.filter(ast.isDomain).flatMap((domain) => lowerDomain(context, domain)),
    questions: lowerQuestions(context, own),
    scenarios: own.filter(ast.isScenario).flatMap((scenario) => lowerScenario(context, scenario)),
  };
  return { description, places: context.book.places };
}

function claimsOf(context: Context, statement: ast.File['statements'][number]): ReturnType<typeof lowerClaim> {
  if (ast.isGroupClaim(statement)) return lowerClaim(context, statement, undefined);
  if (!ast.isHost(statement)) return [];
  return statement.items.filter(ast.isGroupClaim).flatMap((claim) => lowerClaim(context, claim, context.idOf(statement)));
}

function lowerQuestions(context: Context, statements: readonly ast.File['statements'][number][]): Question[] {
  const questions = statements.filter((statement) => ast.isDma(statement) || ast.isNever(statement));
  return questions.flatMap((question, index): Question[] =>
    ast.isDma(question) ? lowerDma(context, question, `dma:${index + 1}`) : lowerNever(context, question, `never:${index + 1}`));
}

interface Gathered {
  readonly items: ast.HostItem[];
  readonly bindings: ast.Binding[];
}

/**
 * Host items outside of a host are what a broken line left behind: they belong to the host before them, without one to a host of
 * their own. `bind` belongs to the host that it names, else to that of its device.
 */
function hostSources(files: readonly ast.File[]): HostSource[] {
  const sources = new Map<HostSource['node'], Gathered>();
  for (const host of files.flatMap((file) => file.statements).filter(ast.isHost)) {
    const items = host.items.filter(ast.isHostItem);
    sources.set(host, { items, bindings: items.filter(ast.isBinding) });
  }
  for (const file of files) gatherStrays(file, sources);
  return [...sources].map(([node, source]) => ({ node, ...source }));
}

function gatherStrays(file: ast.File, sources: Map<HostSource['node'], Gathered>): void {
  let last: HostSource['node'] = file;
  for (const statement of file.statements) {
    if (ast.isHost(statement)) last = statement;
    else if (ast.isBinding(statement)) sources.get(bindingHost(statement) ?? last)?.bindings.push(statement);
    else if (ast.isHostItem(statement)) {
      const source = sources.get(last) ?? { items: [], bindings: [] };
      sources.set(last, source);
      source.items.push(statement);
    }
  }
}

function bindingHost(binding: ast.Binding): ast.Host | undefined {
  if (binding.host?.ref !== undefined) return binding.host.ref;
  return AstUtils.getContainerOfType<ast.Host>(binding.devices[0]?.device?.ref, ast.isHost);
}

interface CachedLowering {
  readonly roots: readonly unknown[];
  readonly lowered: Lowered;
}

const lowerings = new WeakMap<object, CachedLowering>();

/** `lower` of a document and the files that it uses; the same result as long as none of them was parsed again. */
export function lowerDocument(document: LangiumDocument, services: { readonly shared: { readonly workspace: { readonly LangiumDocuments: LangiumDocuments } } }): Lowered {
  const documents = filesOf(document, services.shared.workspace.LangiumDocuments);
  const roots = documents.map((it) => it.parseResult.value);
  const known = lowerings.get(roots[0]!);
  if (known !== undefined && known.roots.length === roots.length && known.roots.every((root, i) => root === roots[i])) return known.lowered;
  const lowered = lower(documents);
  lowerings.set(roots[0]!, { roots, lowered });
  return lowered;
}

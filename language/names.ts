/**
 * What a name means, and where. Names of a host's things are seen inside that host and in statements about it; owners, domains,
 * hosts and constants in the whole file; a step's handles in the later steps of the same scenario and process. `use` adds
 * the names of another file. Tables are made once per parsed file, so a look-up costs the same however long the file is.
 */
import { AstUtils, type AstNode, type LangiumDocument, type LangiumDocuments } from 'langium';
import * as ast from './generated/ast.js';
import { resolveUse } from './uses.js';

export interface FileNames {
  /** Hosts, owners, domains, claims, constants: names of the whole file. The first of two equal ones counts. */
  readonly global: ReadonlyMap<string, AstNode>;
  readonly hosts: readonly ast.Host[];
  /** Items that a lost brace left outside of every host. */
  readonly strays: HostNames;
  /** Paths of the `use` statements. */
  readonly uses: readonly string[];
}

/** Functions, units, platform and mediated devices of one host, at any depth. */
export type HostNames = ReadonlyMap<string, ast.Named>;

/** Handles by process, each with its introductions in order of the steps. */
interface ScenarioNames {
  readonly memories: ReadonlyMap<string, ast.OwnerMemory>;
  readonly handles: ReadonlyMap<string, readonly ast.Handle[]>;
}

/** Who makes a step that does not say `by`. */
export const DEFAULT_PROCESS = 'main';
/** Of an owner's memory that has no name. */
export const DEFAULT_MEMORY_NAME = 'memory';
export const processOf = (step: ast.Step): string => step.process ?? DEFAULT_PROCESS;

const fileNames = new WeakMap<AstNode, FileNames>();
const hostNames = new WeakMap<AstNode, HostNames>();
const scenarioNames = new WeakMap<AstNode, ScenarioNames>();

function cached<K extends AstNode, V>(cache: WeakMap<AstNode, V>, key: K, make: (key: K) => V): V {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const made = make(key);
  cache.set(key, made);
  return made;
}

export const namesOfFile = (file: ast.File): FileNames => cached(fileNames, file, collectFile);
export const namesOfHost = (host: ast.Host): HostNames => cached(hostNames, host, (it) => collectItems(it.items));
const namesOfScenario = (scenario: ast.Scenario): ScenarioNames => cached(scenarioNames, scenario, collectScenario);

function collectFile(file: ast.File): FileNames {
  const global = new Map<string, AstNode>();
  const hosts: ast.Host[] = [];
  for (const statement of file.statements) {
    if (ast.isHost(statement)) hosts.push(statement);
    if ('name' in statement && !ast.isHostItem(statement)) addFirst(global, statement.name, statement);
  }
  for (const host of hosts) for (const item of host.items) if (ast.isGroupClaim(item)) addFirst(global, item.name, item);
  const uses = file.statements.filter(ast.isUse).flatMap((use) => use.path || []);
  return { global, hosts, strays: collectItems(file.statements.filter(ast.isHostItem)), uses };
}

function collectItems(items: readonly AstNode[]): HostNames {
  const names = new Map<string, ast.Named>();
  const visit = (node: AstNode): void => {
    if (ast.isPciFunction(node) || ast.isIommu(node) || ast.isPlatformDevice(node) || ast.isMediatedDevice(node)) addFirst(names, node.name, node);
    if (ast.isPciFunction(node)) node.items.forEach(visit);
  };
  items.forEach(visit);
  return names;
}

function collectScenario(scenario: ast.Scenario): ScenarioNames {
  const memories = new Map<string, ast.OwnerMemory>();
  const handles = new Map<string, ast.Handle[]>();
  for (const item of scenario.items) {
    if (ast.isOwnerMemory(item)) addFirst(memories, item.name ?? DEFAULT_MEMORY_NAME, item);
    if (ast.isStep(item) && item.verb === 'fork') inheritHandles(handles, item);
    if (!ast.isStep(item) || item.handle?.name === undefined) continue;
    const key = handleKey(processOf(item), item.handle.name);
    const list = handles.get(key);
    if (list === undefined) handles.set(key, [item.handle]);
    else list.push(item.handle);
  }
  return { memories, handles };
}

/** A child of `fork` knows what its parent has opened, by the same names. */
function inheritHandles(handles: Map<string, ast.Handle[]>, step: ast.Step): void {
  const [child] = step.atoms;
  if (!ast.isNameAtom(child)) return;
  for (const list of [...handles.values()]) {
    const name = list[0]!.name;
    if (handles.get(handleKey(processOf(step), name)) === list) handles.set(handleKey(child.target.$refText, name), [...list]);
  }
}

/** All handles that a process introduces, in order. */
export function* handlesOf(scenario: ast.Scenario, process: string): Iterable<ast.Handle> {
  for (const [key, handles] of namesOfScenario(scenario).handles) if (key === handleKey(process, handles[0]!.name)) yield* handles;
}

const handleKey = (process: string, name: string): string => `${process} ${name}`;

function addFirst<V>(map: Map<string, V>, name: string | undefined, value: V): void {
  if (name !== undefined && !map.has(name)) map.set(name, value);
}

// ------------------------------------------------------------------------------------------------ files

/** `document`, then the files that it uses, directly or through others, each once. */
export function filesOf(document: LangiumDocument, documents: LangiumDocuments): LangiumDocument[] {
  const found = new Map([[document.uri.toString(), document]]);
  for (const current of found.values()) {
    const file = current.parseResult.value;
    if (!ast.isFile(file)) continue;
    for (const path of namesOfFile(file).uses) {
      const used = documents.getDocument(resolveUse(path, current.uri));
      if (used !== undefined && !found.has(used.uri.toString())) found.set(used.uri.toString(), used);
    }
  }
  return [...found.values()];
}

// ------------------------------------------------------------------------------------------------ looking up

/** The host that a statement is about: the one around it, or the one it names. */
export function hostOf(node: AstNode | undefined): ast.Host | undefined {
  for (let at = node; at !== undefined; at = at.$container) {
    if (ast.isHost(at)) return at;
    if (ast.isOwner(at) || ast.isDomain(at) || ast.isScenario(at) || ast.isGroupClaim(at) || ast.isBinding(at) || ast.isPasidSet(at)) {
      const named = at.host?.ref;
      if (named !== undefined) return named;
    }
  }
  return undefined;
}

export type Accepts = (node: AstNode) => boolean;

/** All files that a name may come from, its own first. */
export class Names {
  constructor(private readonly files: readonly ast.File[]) {}

  /** What `name` means where `at` stands, among the things that `accepts` takes. */
  find(name: string, at: AstNode, accepts: Accepts): AstNode | undefined {
    const accepted = (found: AstNode | undefined): AstNode | undefined => (found !== undefined && accepts(found) ? found : undefined);
    const near = accepted(inStep(name, at)) ?? accepted(inHostOf(name, at));
    if (near !== undefined) return near;
    for (const file of this.files) {
      const found = inFile(name, namesOfFile(file), accepted);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Every name that could be written where `at` stands; nearer things first. Qualified names only where they are needed. */
  *visible(at: AstNode): Iterable<readonly [name: string, node: AstNode]> {
    yield* stepNames(at);
    const host = hostOf(at);
    if (host !== undefined) yield* hostEntries(host);
    for (const file of this.files) {
      const names = namesOfFile(file);
      for (const [name, node] of names.global) {
        yield [name, node];
        if (ast.isOwner(node)) for (const memory of node.items.filter(ast.isOwnerMemory)) yield [`${name}.${memory.name ?? DEFAULT_MEMORY_NAME}`, memory];
      }
      for (const other of names.hosts) if (other !== host) yield* hostEntries(other);
      yield* names.strays;
    }
  }
}

function* stepNames(at: AstNode): Iterable<readonly [string, AstNode]> {
  const scenario = AstUtils.getContainerOfType(at, ast.isScenario);
  if (scenario === undefined) return;
  const process = processAt(at);
  const names = namesOfScenario(scenario);
  for (const [key, handles] of names.handles) {
    const handle = visibleAt(handles, at);
    if (handle !== undefined && key === handleKey(process, handle.name)) yield [handle.name, handle];
  }
  yield* names.memories;
}

function* hostEntries(host: ast.Host): Iterable<readonly [string, AstNode]> {
  for (const [name, node] of namesOfHost(host)) {
    yield [name, node];
    if (!ast.isPciFunction(node)) continue;
    const sriov = sriovOf(node);
    if (sriov !== undefined) for (let i = 0; i < enabledFunctions(sriov); i++) yield [`${name}.vf${i}`, sriov];
  }
}

function processAt(at: AstNode): string {
  const step = AstUtils.getContainerOfType(at, ast.isStep);
  return step === undefined ? DEFAULT_PROCESS : processOf(step);
}

function inStep(name: string, at: AstNode): AstNode | undefined {
  const scenario = AstUtils.getContainerOfType(at, ast.isScenario);
  if (scenario === undefined) return undefined;
  const names = namesOfScenario(scenario);
  return visibleAt(names.handles.get(handleKey(processAt(at), name)) ?? [], at) ?? names.memories.get(name);
}

/** A handle's name may be used again after `close`: the last introduction before the step counts; without one, the first after it. */
function visibleAt(introductions: readonly ast.Handle[], at: AstNode): ast.Handle | undefined {
  const position = AstUtils.getContainerOfType(at, ast.isScenarioItem)?.$containerIndex ?? 0;
  let low = 0;
  let high = introductions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((introductions[middle]!.$container.$containerIndex ?? 0) < position) low = middle + 1;
    else high = middle;
  }
  return introductions[Math.max(low - 1, 0)];
}

function inHostOf(name: string, at: AstNode): AstNode | undefined {
  const host = hostOf(at);
  return host === undefined ? undefined : inHost(name, namesOfHost(host));
}

function inHost(name: string, names: HostNames): AstNode | undefined {
  return names.get(name) ?? virtualFunction(name, (physical) => names.get(physical));
}

function inFile(name: string, names: FileNames, accepted: (found: AstNode | undefined) => AstNode | undefined): AstNode | undefined {
  const found = accepted(names.global.get(name)) ?? accepted(inHost(name, names.strays)) ?? accepted(qualified(name, names));
  if (found !== undefined) return found;
  for (const host of names.hosts) {
    const ofHost = accepted(inHost(name, namesOfHost(host)));
    if (ofHost !== undefined) return ofHost;
  }
  return undefined;
}

/** `HOST.DEVICE` and `OWNER.MEMORY`. */
function qualified(name: string, names: FileNames): AstNode | undefined {
  const dot = name.indexOf('.');
  if (dot < 0) return undefined;
  const scope = names.global.get(name.slice(0, dot));
  const rest = name.slice(dot + 1);
  if (ast.isHost(scope)) return inHost(rest, namesOfHost(scope));
  if (ast.isOwner(scope)) return scope.items.filter(ast.isOwnerMemory).find((memory) => (memory.name ?? DEFAULT_MEMORY_NAME) === rest);
  return undefined;
}

const VIRTUAL_FUNCTION = /^(.+)\.vf(\d{1,5})$/;

/** Which virtual function of a `sriov` statement a name means: `nic.vf3` is number 3. */
export const virtualFunctionIndex = (name: string): number => Number(VIRTUAL_FUNCTION.exec(name)?.[2] ?? 0);

/** `nic.vf3` is made by the `sriov` statement of `nic`, which is therefore what it leads to. */
function virtualFunction(name: string, find: (physical: string) => ast.Named | undefined): ast.Sriov | undefined {
  const [, physical, index] = VIRTUAL_FUNCTION.exec(name) ?? [];
  if (physical === undefined) return undefined;
  const owner = find(physical);
  const sriov = ast.isPciFunction(owner) ? sriovOf(owner) : undefined;
  return sriov !== undefined && Number(index) < enabledFunctions(sriov) ? sriov : undefined;
}

export const sriovOf = (node: ast.PciFunction): ast.Sriov | undefined => node.items.find(ast.isSriov);

/** A bound on what one statement makes; PCIe would allow 65,535, and no device comes near. More is an error that a check reports. */
export const MAX_VIRTUAL_FUNCTIONS = 4096;

export function enabledFunctions(sriov: ast.Sriov): number {
  const count = amountOf(sriov.enabled) ?? 0n;
  return count > BigInt(MAX_VIRTUAL_FUNCTIONS) ? 0 : Number(count);
}

/** The value of a number or constant; undefined when broken, or when constants go in a circle. */
export function amountOf(amount: ast.Amount | undefined): bigint | undefined {
  const seen = new Set<ast.Amount>();
  for (let at = amount; at !== undefined && !seen.has(at); ) {
    seen.add(at);
    if (ast.isLiteral(at)) return at.value;
    at = at.constant?.ref?.value;
  }
  return undefined;
}

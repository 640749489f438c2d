/** Names and what they refer to. */
import { AstUtils, type AstNode } from 'langium';
import * as ast from '../generated/ast.js';
import { DEFAULT_MEMORY_NAME, hostOf } from '../names.js';
import type { Report } from './check.js';

/** Names of the whole file: hosts, owners, domains, claims, constants; titles of scenarios among themselves. */
export function fileNamesMustBeUnique(file: ast.File, report: Report): void {
  const named: { name: string | undefined; node: AstNode }[] = [];
  for (const statement of file.statements) {
    if ('name' in statement && !ast.isHostItem(statement)) named.push({ name: statement.name, node: statement });
    if (ast.isHost(statement)) for (const item of statement.items) if (ast.isGroupClaim(item)) named.push({ name: item.name, node: item });
  }
  uniqueNames(named, 'name', report);
  uniqueNames(file.statements.filter(ast.isScenario).map((node) => ({ name: node.title, node })), 'title', report);
}

export function hostNamesMustBeUnique(host: ast.Host, report: Report): void {
  const named: { name: string | undefined; node: AstNode }[] = [];
  const visit = (node: AstNode): void => {
    if (ast.isPciFunction(node) || ast.isIommu(node) || ast.isPlatformDevice(node) || ast.isMediatedDevice(node)) named.push({ name: node.name, node });
    if (ast.isPciFunction(node)) node.items.forEach(visit);
  };
  host.items.forEach(visit);
  uniqueNames(named, 'name', report);
}

export function memoryNamesMustBeUnique(node: ast.Owner | ast.Scenario, report: Report): void {
  uniqueNames((node.items as readonly AstNode[]).filter(ast.isOwnerMemory).map((memory) => ({ name: memory.name ?? DEFAULT_MEMORY_NAME, node: memory })), 'name', report);
}

function uniqueNames(named: readonly { name: string | undefined; node: AstNode }[], property: string, report: Report): void {
  const seen = new Map<string, AstNode>();
  for (const { name, node } of named) {
    if (name === undefined) continue;
    const first = seen.get(name);
    if (first === undefined) seen.set(name, node);
    else report('language/duplicate-name', node, `The name \`${name}\` is taken in line ${(first.$cstNode?.range.start.line ?? 0) + 1}.`, { property });
  }
}

/** Devices of an owner, a domain, a claim or a binding are those of its host. */
export function devicesMustBeOfTheHost(node: ast.DeviceRef, report: Report): void {
  const wanted = hostOf(node.$container);
  const device = node.device?.ref;
  const actual = AstUtils.getContainerOfType<ast.Host>(device, ast.isHost);
  if (wanted !== undefined && actual !== undefined && wanted !== actual) {
    report('language/other-host', node, `\`${node.device.$refText}\` is a device of host \`${actual.name}\`, not of \`${wanted.name}\`.`);
  }
}

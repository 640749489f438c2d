/** All checks that need no simulation, run over a file in one walk. */
import { AstUtils, isAstNode, type AstNode, type DiagnosticInfo, type LangiumDocuments, type ValidationAcceptor } from 'langium';
import * as ast from '../generated/ast.js';
import type { LanguageCode } from '../codes.js';
import { resolveUse } from '../uses.js';
import * as amounts from './amounts.js';
import type { Check, Report } from './check.js';
import * as fabric from './fabric.js';
import * as names from './names.js';
import * as raw from './raw.js';
import * as steps from './steps.js';
import * as words from './words.js';

type Checks = { readonly [T in keyof ast.IommuAstType]?: readonly Check<ast.IommuAstType[T]>[] };

const CHECKS: Checks = {
  File: [fabric.hostItemsMustStandInAHost, names.fileNamesMustBeUnique],
  Constant: [amounts.constantsMustEndSomewhere],
  Host: [names.hostNamesMustBeUnique, fabric.pciAddressesMustBeUnique, amounts.memoryRangesMustNotOverlap],
  Kernel: [amounts.kernelVersionsMustBeginWithTwoNumbers],
  Cpu: [words.vendorsMustBeKnown],
  Firmware: [words.firmwareMustBeKnown],
  IdMap: [amounts.requesterIdsMustHave16Bits],
  Grouping: [words.groupingsMustBeKnown],
  IoasidChoice: [words.ioasidModelsMustBeKnown],
  Iommu: [words.architecturesMustBeKnown, (node, report) => words.propertiesMustBeGivenOnce(node.properties, report)],
  Register: [raw.registersMustExist],
  Words: [raw.wordsMustBeAligned],
  PciFunction: [
    words.functionTypesMustBeKnown, fabric.pciAddressesMustExist, fabric.functionsMustBeOnTheBusOfTheirBridge, fabric.functionsMustStandWhereTheyCan,
    fabric.virtualFunctionsMustNameTheirPhysicalFunction, fabric.oneStatementOfSriovIsEnough, fabric.barsMustBeGivenOnce,
    (node, report) => words.propertiesMustBeGivenOnce(node.items, report),
  ],
  Buses: [fabric.busesMustBeInOrder],
  Bar: [fabric.barsMustBePossible, words.barWordsMustBeKnown],
  Window: [words.barWordsMustBeKnown],
  Sriov: [fabric.virtualFunctionsMustFit],
  SimpleProperty: [words.propertiesMustBeKnown],
  PlatformDevice: [(node, report) => words.propertiesMustBeGivenOnce(node.properties, report)],
  MediatedDevice: [words.mediatedKindsMustBeKnown, (node, report) => words.propertiesMustBeGivenOnce(node.properties, report)],
  ReservedRegion: [words.reservedTypesMustBeKnown],
  Owner: [names.memoryNamesMustBeUnique, words.propertiesMustHaveAnEffect, (node, report) => words.propertiesMustBeGivenOnce(node.items, report)],
  OwnerMemory: [amounts.memoriesMustHaveASize],
  MemoryBacking: [amounts.backingMustBePages],
  MemoryKind: [words.memoryKindsMustBeKnown],
  Domain: [words.domainTypesMustBeKnown],
  DomainMap: [amounts.mappingsMustNotBeEmpty, words.permissionsMustBeKnown],
  DomainAttach: [amounts.pasidsMustFit20Bits],
  PasidSet: [steps.detailsOfSetsMustBeKnown],
  Dma: [amounts.dmaMustMoveSomething, words.dmaWordsMustBeKnown],
  Expectation: [words.expectationsMustMakeSense, amounts.expectedNumbersMustFit64Bits],
  Scenario: [names.memoryNamesMustBeUnique],
  KernelChoice: [amounts.kernelVersionsMustBeginWithTwoNumbers],
  Step: [steps.stepsMustFitTheirVerb, steps.stepsHaveNoDetails],
  NumberAtom: [amounts.operandNumbersMustFit64Bits],
  Literal: [amounts.numbersMustFit64Bits],
  Range: [amounts.rangesMustNotBeEmpty],
  DeviceRef: [names.devicesMustBeOfTheHost],
};

const byType = new Map<string, readonly Check<AstNode>[]>(Object.entries(CHECKS) as [string, readonly Check<AstNode>[]][]);

export function runChecks(file: ast.File, report: Report): void {
  const visit = (node: AstNode): void => {
    for (const check of byType.get(node.$type) ?? []) check(node, report);
    for (const key in node) if (!key.startsWith('$')) visitAll(node[key as keyof AstNode], visit);
  };
  visit(file);
}

function visitAll(value: unknown, visit: (node: AstNode) => void): void {
  if (Array.isArray(value)) for (const entry of value) visitAll(entry, visit);
  else if (isAstNode(value)) visit(value);
}

export function usedFilesMustExist(file: ast.File, documents: LangiumDocuments, report: Report): void {
  const from = AstUtils.getDocument(file).uri;
  for (const use of file.statements.filter(ast.isUse)) {
    if (use.path !== undefined && !documents.hasDocument(resolveUse(use.path, from))) {
      report('language/missing-file', use, `There is no file \`${use.path}\` beside this one.`, { property: 'path' });
    }
  }
}

/** As Langium calls it: once for the root of a document. */
export function validateFile(documents: () => LangiumDocuments): (file: ast.File, accept: ValidationAcceptor) => void {
  return (file, accept) => {
    const report: Report = (code: LanguageCode, node, message, where = {}) => {
      const { property, index, severity = 'error' } = where;
      const severityWord = severity === 'information' ? 'info' : severity;
      accept(severityWord, message, { node, ...(property === undefined ? {} : { property }), ...(index === undefined ? {} : { index }), code } as DiagnosticInfo<AstNode>);
    };
    runChecks(file, report);
    usedFilesMustExist(file, documents(), report);
  };
}

